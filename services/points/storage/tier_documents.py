"""Tiers as documents: a program's, and what a member had before rising."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

from services.points.domain.ids import TierId
from services.points.domain.tiers import Standing, Tier

Document: TypeAlias = dict[str, Any]


def tier_document(tier: Tier) -> Document:
    """One level of a ladder."""
    return {
        "id": str(tier.id),
        "name": tier.name,
        "threshold": tier.threshold,
        "multiplier": str(tier.multiplier),
    }


def tier_from(document: Mapping[str, Any]) -> Tier:
    """The level of a document."""
    return Tier(
        id=TierId(UUID(document["id"])),
        name=document["name"],
        threshold=document["threshold"],
        multiplier=Decimal(document["multiplier"]),
    )


def standing_document(standing: Standing) -> Document:
    """A standing with all that it was before."""
    return {
        "tier_id": str(standing.tier_id),
        "threshold": standing.threshold,
        "entered_at": standing.entered_at.isoformat(),
        "founded_at": standing.founded_at.isoformat(),
        "kept_until": standing.kept_until.isoformat() if standing.kept_until else None,
        "before": standing_document(standing.before) if standing.before else None,
    }


def standing_from(document: Mapping[str, Any]) -> Standing:
    """The standing of a document."""
    kept_until, before = document["kept_until"], document["before"]
    return Standing(
        tier_id=TierId(UUID(document["tier_id"])),
        threshold=document["threshold"],
        entered_at=datetime.fromisoformat(document["entered_at"]),
        founded_at=datetime.fromisoformat(document["founded_at"]),
        kept_until=datetime.fromisoformat(kept_until) if kept_until else None,
        before=standing_from(before) if before else None,
    )
