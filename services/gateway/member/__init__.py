"""The customer web client at /m/{slug}: pages that a member opens on her own phone."""

from fastapi import APIRouter

from services.gateway.member import (
    account,
    card,
    codes,
    decoder,
    email,
    history,
    install,
    join,
    offers,
    scan,
    spelling,
    wallet,
)

router = APIRouter()
for _room in (
    install,
    codes,
    join,
    scan,
    decoder,
    card,
    history,
    wallet,
    offers,
    account,
    email,
    spelling,
):
    router.include_router(_room.router)
