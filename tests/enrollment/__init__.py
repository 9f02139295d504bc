"""Tests of enrollment, on real engines."""
