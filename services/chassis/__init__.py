"""Plumbing that every service stands on.

Knows no loyalty word except the structural `chain_id`, imports no service and no loyalty contract,
and may be imported without connecting to anything or reading the environment.
"""
