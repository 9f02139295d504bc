"""What one can do with rewards: one function and one transaction each.

A take, the void of a paid reward, and going on a sale or off it are two transactions with a call
to points between them; a settlement row holds the two together (ADR 0006, ADR 0012).
"""
