"""The rules of points: pure functions over frozen values; no clock, no store, no protocol."""
