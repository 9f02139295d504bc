"""What offers does: one function per use case, one transaction each."""
