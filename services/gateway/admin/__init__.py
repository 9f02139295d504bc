"""The panel ("panneau de contrôle"): the sign-in page and everything under /admin."""

from fastapi import APIRouter

from services.gateway.admin import (
    design,
    earning,
    eligible,
    home,
    member_points,
    member_status,
    members,
    message_words,
    messages,
    offers,
    program_notices,
    program_page,
    programs,
    promotions,
    qr_codes,
    rewards,
    sales,
    scheduled,
    sending,
    settings,
    signin,
    terms,
    text_to_join,
    wallet,
)

router = APIRouter(include_in_schema=False)
for part in (
    signin,
    home,
    programs,
    program_page,
    program_notices,
    earning,
    eligible,
    terms,
    promotions,
    rewards,
    qr_codes,
    offers,
    sending,
    messages,
    message_words,
    scheduled,
    text_to_join,
    members,
    member_status,
    member_points,
    wallet,
    sales,
    design,
    settings,
):
    router.include_router(part.router)
