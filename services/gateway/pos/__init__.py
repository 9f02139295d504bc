"""The API of tills, panels and scripts: `/v2`, shaped like Square's Loyalty API."""

from fastapi import APIRouter

from services.gateway.pos import (
    accounts,
    customers,
    devices,
    events,
    keys,
    locations,
    messages,
    offers,
    programs,
    promotions,
    rewards,
    staff,
    tiers,
)

router = APIRouter(prefix="/v2")
for _noun in (
    programs,
    tiers,
    promotions,
    accounts,
    rewards,
    events,
    offers,
    locations,
    customers,
    messages,
    devices,
    staff,
    keys,
):
    router.include_router(_noun.router)
