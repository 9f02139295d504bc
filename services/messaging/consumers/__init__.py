"""Events of others that messaging acts on, by who tells them."""

from __future__ import annotations

from services.messaging.consumers.enrollment import (
    CHAINS_GROUP,
    CONTACTS,
    CONTACTS_GROUP,
    ENROLLMENT,
    chain_handlers,
    contact_handlers,
)
from services.messaging.consumers.offers import OFFERS, OFFERS_GROUP, offer_handlers
from services.messaging.consumers.points import POINTS, STANDINGS_GROUP, standings
from services.messaging.consumers.program_changes import (
    PROGRAM_CHANGES_GROUP,
    program_change_handlers,
)
from services.messaging.consumers.rewards import REWARDS, REWARDS_GROUP, coupon_handlers

__all__ = [
    "CHAINS_GROUP",
    "CONTACTS",
    "CONTACTS_GROUP",
    "ENROLLMENT",
    "OFFERS",
    "OFFERS_GROUP",
    "POINTS",
    "PROGRAM_CHANGES_GROUP",
    "REWARDS",
    "REWARDS_GROUP",
    "STANDINGS_GROUP",
    "chain_handlers",
    "contact_handlers",
    "coupon_handlers",
    "offer_handlers",
    "program_change_handlers",
    "standings",
]
