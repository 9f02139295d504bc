"""Tests of the plumbing, on real engines."""
