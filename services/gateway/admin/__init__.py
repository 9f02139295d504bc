"""The panel ("panneau de contrôle"): the sign-in page and everything under /admin."""

from fastapi import APIRouter

from services.gateway.admin import (
    design,
    home,
    member_points,
    members,
    messages,
    offers,
    programs,
    qr_codes,
    rewards,
    sales,
    settings,
    signin,
    wallet,
)

router = APIRouter(include_in_schema=False)
for part in (
    signin,
    home,
    programs,
    rewards,
    qr_codes,
    offers,
    messages,
    members,
    member_points,
    wallet,
    sales,
    design,
    settings,
):
    router.include_router(part.router)
