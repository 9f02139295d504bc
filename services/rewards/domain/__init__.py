"""Rules of rewards: the standard library only, no clock, no input or output."""
