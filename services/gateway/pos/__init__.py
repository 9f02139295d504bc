"""The API of tills, panels and scripts: `/v2`, shaped like Square's Loyalty API."""

from fastapi import APIRouter

from services.gateway.pos import (
    accounts,
    accumulating,
    calculating,
    catalog,
    customers,
    devices,
    events,
    keys,
    ledger,
    locations,
    message_words,
    messages,
    offers,
    orders,
    program_notices,
    programs,
    promotions,
    refunding,
    rewards,
    sends,
    staff,
    tiers,
)

router = APIRouter(prefix="/v2")
for _noun in (
    program_notices,
    programs,
    tiers,
    promotions,
    calculating,
    accounts,
    accumulating,
    ledger,
    rewards,
    refunding,
    events,
    orders,
    catalog,
    offers,
    locations,
    customers,
    messages,
    message_words,
    sends,
    devices,
    staff,
    keys,
):
    router.include_router(_noun.router)
