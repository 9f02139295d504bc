"""A member's points at the desk: by hand with a reason, and what will end (LS-72, SQ-30, SQ-68)."""

from __future__ import annotations

import re

from fastapi import APIRouter, Response
from loyalty.points.v1.points_pb2 import AdjustmentReason, AdjustPointsRequest, OpenAccountRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk, DeskDep
from services.gateway.admin.members import cards_of, member_name, member_of, show_member
from services.gateway.feed import REASONS
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    problems_of,
    read_fields,
    whole_number,
)

router = APIRouter()

_SIGNED_NUMBER = re.compile(r"[+\-−]?[0-9]{1,9}")
_SHOWN = {"points": "points", "reason": "reason", "note": "note", "balance": "points"}


def signed_points(text: str) -> int | None:
    """A number as typed, with "-" before it to take points away (LS-73); None when it is none."""
    if not _SIGNED_NUMBER.fullmatch(text):
        return None
    return int(text.replace("−", "-"))


@router.post("/admin/members/{member_id}/points")
async def give_points(desk: DeskDep, member_id: str) -> Response:
    """ "Faire gagner des points": program, number, reason; no code is asked here (LS-72)."""
    fields = await read_fields(desk.request)
    points = signed_points(fields.text("points"))
    if not points:
        words = desk.say("Entrez un nombre entier, par exemple 2, ou -1 pour retirer un point.")
        problems = Problems(fields={"points": words})
        return await show_member(desk, member_id, fields=fields, problems=problems)
    try:
        await _adjust(desk, member_id, fields, points)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return await show_member(desk, member_id, fields=fields, problems=problems)
    return desk.go(f"members/{member_id}", done="earned", program=fields["program_id"])


async def _adjust(desk: Desk, member_id: str, fields: Fields, points: int) -> None:
    """One adjustment, the same from both forms (D17, SQ-52)."""
    member = await member_of(desk, member_id)
    clients = desk.deps.clients
    opened = await clients.points.OpenAccount(
        OpenAccountRequest(
            chain_id=desk.chain_id, member_id=member.id, program_id=fields["program_id"]
        )
    )
    await clients.points.AdjustPoints(
        AdjustPointsRequest(
            idempotency_key=fields.key,
            chain_id=desk.chain_id,
            account_id=opened.account.id,
            points=points,
            reason=_reason(fields["reason"]),
            note=fields.text("note"),
            actor=desk.principal.actor,
        )
    )
    await desk.deps.live.publish(desk.chain_id, member.id, "points")


def _reason(text: str) -> AdjustmentReason.ValueType:
    """The reason chosen; none where the form says no such one, which points refuses."""
    found = (reason for reason in REASONS if text == str(reason))
    return next(found, AdjustmentReason.Value("ADJUSTMENT_REASON_UNSPECIFIED"))


async def _adjust_form(
    desk: Desk, member_id: str, fields: Fields, problems: Problems = NO_PROBLEMS
) -> Response:
    member = await member_of(desk, member_id)
    return desk.show(
        "adjust.html",
        here="members",
        problems=problems,
        member=member,
        name=member_name(desk, member),
        cards=await cards_of(desk, member.id),
        reasons=[(value, desk.say(words)) for value, words in REASONS.items()],
        fields=fields,
        key=new_key(),
    )


@router.get("/admin/members/{member_id}/adjust")
async def adjust_page(desk: DeskDep, member_id: str) -> Response:
    """ "Ajuster les points": add or "Retirer des points", how many, and why (SQ-30)."""
    return await _adjust_form(desk, member_id, Fields(direction="add"))


@router.post("/admin/members/{member_id}/adjust")
async def adjust(desk: DeskDep, member_id: str) -> Response:
    """The adjustment; without a reason it is refused (SQ-30)."""
    fields = await read_fields(desk.request)
    points, wrong_points = whole_number(fields.text("points"), desk.language, "points")
    wrong = dict(wrong_points.fields)
    if not _reason(fields["reason"]):
        wrong["reason"] = desk.say("Choisissez la raison.")
    if wrong:
        return await _adjust_form(desk, member_id, fields, Problems(fields=wrong))
    try:
        await _adjust(desk, member_id, fields, -points if _takes(fields) else points)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return await _adjust_form(desk, member_id, fields, problems)
    return desk.go(f"members/{member_id}", done="earned", program=fields["program_id"])


def _takes(fields: Fields) -> bool:
    return fields["direction"] == "remove"


@router.get("/admin/members/{member_id}/expiring")
async def expiring_page(desk: DeskDep, member_id: str) -> Response:
    """ "Voir les points arrivant à expiration": the total and its days (SQ-68)."""
    member = await member_of(desk, member_id)
    return desk.show(
        "expiring.html",
        here="members",
        member=member,
        name=member_name(desk, member),
        cards=await cards_of(desk, member.id),
    )
