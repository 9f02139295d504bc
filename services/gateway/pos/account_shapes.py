"""An account as Square writes it, with what of it ends when, and the member's tier."""

from __future__ import annotations

from typing import NotRequired

from loyalty.enrollment.v1.enrollment_pb2 import Member
from loyalty.points.v1 import points_pb2
from typing_extensions import TypedDict

from services.gateway.pos.shapes import moment


class MappingShape(TypedDict):
    """The phone by which a till finds the account."""

    id: str
    created_at: str
    phone_number: str


class DeadlineShape(TypedDict):
    """Points that end, and when; `last_day` (ours) is the last one on which they can be used."""

    points: int
    expires_at: str
    last_day: str


class NextTierShape(TypedDict):
    """The next level, and how far it is."""

    id: str
    name: str
    threshold: int
    multiplier: str
    missing_points: int


class TierStandingShape(TypedDict):
    """The member's level in the program, with what it adds to base points (SQ-05)."""

    id: str
    name: str
    threshold: int
    multiplier: str
    progress_points: int
    entered_at: NotRequired[str]
    kept_until: NotRequired[str]
    next_tier: NotRequired[NextTierShape]


class AccountShape(TypedDict):
    """A member's account in a program."""

    id: str
    program_id: str
    balance: int
    lifetime_points: int
    customer_id: str
    enrolled_at: NotRequired[str]
    created_at: str
    updated_at: str
    mapping: NotRequired[MappingShape]
    expiring_point_deadlines: NotRequired[list[DeadlineShape]]
    tier: NotRequired[TierStandingShape]


def account_shape(account: points_pb2.Account, member: Member | None) -> AccountShape:
    """An account with the phone that finds it."""
    shape: AccountShape = {
        "id": account.id,
        "program_id": account.program_id,
        "balance": account.balance,
        "lifetime_points": account.lifetime_points,
        "customer_id": account.member_id,
        "created_at": moment(account.opened_at),
        "updated_at": moment(account.updated_at),
    }
    if account.expiring:
        shape["expiring_point_deadlines"] = [
            {"points": one.points, "expires_at": moment(one.expires_at), "last_day": one.last_day}
            for one in account.expiring
        ]
    if account.HasField("tier"):
        shape["tier"] = standing_shape(account.tier)
    if member is not None:
        shape["enrolled_at"] = moment(member.enrolled_at)
        if member.phone:
            shape["mapping"] = {
                # A member has one loyalty phone, so her account's id names its mapping too.
                "id": account.id,
                "created_at": moment(account.opened_at),
                "phone_number": member.phone,
            }
    return shape


def standing_shape(standing: points_pb2.TierStanding) -> TierStandingShape:
    """Where a member stands on the ladder, and what the next step takes."""
    tier = standing.tier
    shape: TierStandingShape = {
        "id": tier.id,
        "name": tier.name,
        "threshold": tier.threshold,
        "multiplier": tier.multiplier,
        "progress_points": standing.progress,
    }
    if standing.HasField("entered_at"):
        shape["entered_at"] = moment(standing.entered_at)
    if standing.HasField("kept_until"):
        shape["kept_until"] = moment(standing.kept_until)
    if standing.HasField("next"):
        following = standing.next
        shape["next_tier"] = {
            "id": following.id,
            "name": following.name,
            "threshold": following.threshold,
            "multiplier": following.multiplier,
            "missing_points": max(0, following.threshold - standing.progress),
        }
    return shape
