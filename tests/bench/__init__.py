"""How fast the hot path is, as ratios against PostgreSQL itself: `make bench`. Never a test."""
