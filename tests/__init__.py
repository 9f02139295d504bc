"""Tests; the folders mirror services/."""
