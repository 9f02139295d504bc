"""What points can do, one function per use case, one transaction each."""
