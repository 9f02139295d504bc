"""Why now: what a chain proposes between two dates.

Owns offers and their dates. Publishes `offer.changed` on `loyalty.offers.v1`. Consumes
`chain.changed` of enrollment for each chain's home zone. Never touches a member's coupons: who may
take an offer, and what becomes of what was taken, is decided by rewards.
"""
