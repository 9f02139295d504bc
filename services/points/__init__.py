"""How much: programs, members' accounts, the ledger, and every way of earning.

Publishes `loyalty.points.v1`; keeps copies of chains and salons from `loyalty.enrollment.v1`.
Never decides what points buy (rewards), who a member is (enrollment), or how she is told
(messaging), and never changes a posting once it is written.
"""
