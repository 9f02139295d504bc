"""Generated from the contracts below `proto/`; never edited."""
