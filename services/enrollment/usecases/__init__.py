"""What enrollment does: one function for each thing, one transaction each."""
