"""All SQL of points, by noun. Functions take a connection; rows in, domain objects out."""
