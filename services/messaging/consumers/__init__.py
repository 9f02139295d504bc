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
from services.messaging.consumers.rewards import REWARDS, REWARDS_GROUP, reward_handlers

__all__ = [
    "CHAINS_GROUP",
    "CONTACTS",
    "CONTACTS_GROUP",
    "ENROLLMENT",
    "OFFERS",
    "OFFERS_GROUP",
    "POINTS",
    "REWARDS",
    "REWARDS_GROUP",
    "STANDINGS_GROUP",
    "chain_handlers",
    "contact_handlers",
    "offer_handlers",
    "reward_handlers",
    "standings",
]
