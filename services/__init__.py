"""The platform's services and the plumbing they stand on."""
