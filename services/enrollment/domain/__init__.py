"""Pure rules of enrollment: standard library only, no clock, no I/O."""
