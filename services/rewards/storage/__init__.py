"""All SQL of rewards: functions that take a connection, rows in, domain objects out."""
