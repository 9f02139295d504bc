"""All SQL of enrollment, one file for each noun: rows in, domain objects out, no decisions."""
