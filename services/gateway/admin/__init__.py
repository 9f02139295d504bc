"""The panel ("panneau de contrôle"): the sign-in page and everything under /admin."""

from fastapi import APIRouter

from services.gateway.admin import (
    design,
    earning,
    eligible,
    home,
    member_points,
    members,
    messages,
    offers,
    program_page,
    programs,
    promotions,
    qr_codes,
    rewards,
    sales,
    settings,
    signin,
    terms,
    wallet,
)

router = APIRouter(include_in_schema=False)
for part in (
    signin,
    home,
    programs,
    program_page,
    earning,
    eligible,
    terms,
    promotions,
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
