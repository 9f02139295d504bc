"""Addresses that people open: the salon's app and the tablet at its counter."""

from __future__ import annotations

from services.gateway.settings import Settings


def member_url(settings: Settings, slug: str) -> str:
    """The "URL du site web mobile" of a chain (LS-15)."""
    return f"{settings.public_url.rstrip('/')}/m/{slug}"


def tablet_url(settings: Settings, link_token: str) -> str:
    """The "URL de la tablette" of a salon (LS-09); whoever has it may serve members there."""
    return f"{settings.public_url.rstrip('/')}/t/{link_token}"
