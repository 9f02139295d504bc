"""All SQL of messaging, by noun. Rows in, domain objects out; decides nothing."""
