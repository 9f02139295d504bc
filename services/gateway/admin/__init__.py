"""The panel ("panneau de contrôle"): the sign-in page and everything under /admin."""

from fastapi import APIRouter

from services.gateway.admin import (
    design,
    home,
    members,
    messages,
    offers,
    programs,
    qr_codes,
    rewards,
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
    wallet,
    design,
    settings,
):
    router.include_router(part.router)
