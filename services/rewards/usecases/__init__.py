"""What one can do with rewards: one function and one transaction each.

A take and the void of a paid reward are two transactions with a call to points between them; a
settlement row holds the two together (ADR 0006).
"""
