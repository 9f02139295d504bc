"""What for: reward definitions, and members' wallets of rewards and coupons.

Owns who may take, use, restore and void what, and the terms that each reward was taken with.
Publishes `loyalty.rewards.v1`; consumes offers and chains as small local copies, and from points
which sales were counted or refunded with rewards on them.
Never counts points: it asks the points service to debit or return them by a reward's id, and to
put rewards on open sales.
"""
