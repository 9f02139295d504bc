"""An account's ledger: every entry, what it comes from, what it took and what it leaves (N3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final, NotRequired

from fastapi import APIRouter, Query
from loyalty.points.v1 import points_pb2
from loyalty.types.v1.types_pb2 import Actor
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import Json, api_fields
from services.gateway.pos import cursors
from services.gateway.pos.caller import LoyaltyReader
from services.gateway.pos.event_shapes import REASON_WORDS
from services.gateway.pos.fields import SoughtCursor, known_id
from services.gateway.pos.shapes import moment
from services.gateway.web import i18n

router = APIRouter(prefix="/loyalty/accounts", tags=["Loyalty accounts"])

PAGE: Final = 30
PAGE_MAX: Final = 200

TYPES: Final = {
    points_pb2.ENTRY_KIND_EARN: "EARN",
    points_pb2.ENTRY_KIND_PROMOTION: "PROMOTION",
    points_pb2.ENTRY_KIND_ADJUSTMENT: "ADJUSTMENT",
    points_pb2.ENTRY_KIND_REWARD: "REWARD",
    points_pb2.ENTRY_KIND_REWARD_RETURN: "REWARD_RETURN",
    points_pb2.ENTRY_KIND_REFUND: "REFUND",
    points_pb2.ENTRY_KIND_EXPIRY: "EXPIRY",
}
SOURCES: Final = {
    points_pb2.EARN_SOURCE_SCAN: "SCAN",
    points_pb2.EARN_SOURCE_MULTI_POINT_SCAN: "MULTI_POINT_SCAN",
    points_pb2.EARN_SOURCE_MANUAL_CODE: "MANUAL_CODE",
    points_pb2.EARN_SOURCE_TABLET: "TABLET",
    points_pb2.EARN_SOURCE_TILL: "TILL",
}
_ACTORS: Final = {
    Actor.KIND_MEMBER: "MEMBER",
    Actor.KIND_STAFF: "STAFF",
    Actor.KIND_DEVICE: "DEVICE",
    Actor.KIND_API_KEY: "API_KEY",
    Actor.KIND_OPERATOR: "OPERATOR",
    Actor.KIND_SYSTEM: "SYSTEM",
}
# The parts of the sentence, in its order, with the kinds that each sums up.
_PARTS: Final = (
    ("earned", (points_pb2.ENTRY_KIND_EARN, points_pb2.ENTRY_KIND_PROMOTION)),
    ("adjusted", (points_pb2.ENTRY_KIND_ADJUSTMENT,)),
    ("taken", (points_pb2.ENTRY_KIND_REWARD,)),
    ("returned", (points_pb2.ENTRY_KIND_REWARD_RETURN,)),
    ("refunded", (points_pb2.ENTRY_KIND_REFUND,)),
    ("expired", (points_pb2.ENTRY_KIND_EXPIRY,)),
)
# Of one point, and of several.
_WORDS: Final = {
    "en": {
        "earned": ("earned", "earned"),
        "adjusted": ("adjusted", "adjusted"),
        "taken": ("taken", "taken"),
        "returned": ("returned", "returned"),
        "refunded": ("refunded", "refunded"),
        "expired": ("expired", "expired"),
    },
    "fr": {
        "earned": ("gagné", "gagnés"),
        "adjusted": ("ajusté", "ajustés"),
        "taken": ("échangé", "échangés"),
        "returned": ("rendu", "rendus"),
        "refunded": ("remboursé", "remboursés"),
        "expired": ("expiré", "expirés"),
    },
}
_BALANCE: Final = {"en": "balance", "fr": "solde"}


class ActorShape(TypedDict):
    """Who did it: a member, staff, a device or a key, by its id."""

    type: str
    id: NotRequired[str]


class UseShape(TypedDict):
    """Points that an entry took from an earlier one; below zero where it put them back."""

    entry_id: str
    points: int


class LedgerTotalShape(TypedDict):
    """All entries of one kind."""

    type: str
    points: int
    entries: int


class LedgerEntryShape(TypedDict):
    """One entry: what, how many, where, by whom and why."""

    id: str
    sequence: int
    type: str
    points: int
    balance_after: int
    created_at: str
    recorded_at: str
    location_id: NotRequired[str]
    actor: ActorShape
    source: NotRequired[str]
    reason: NotRequired[str]
    order_id: NotRequired[str]
    change_id: NotRequired[str]
    tier_bonus_points: NotRequired[int]
    loyalty_promotion_id: NotRequired[str]
    reward_id: NotRequired[str]
    reverses: NotRequired[str]
    uses: NotRequired[list[UseShape]]
    remaining_points: NotRequired[int]
    expires_at: NotRequired[str]
    expiration_policy: NotRequired[str]


class LedgerAnswer(TypedDict):
    """The account's sum and a page of its entries, newest first.

    `overdue_points` have ended and are not posted yet; `balance` leaves them out.
    """

    loyalty_account_id: str
    balance: int
    text: str
    overdue_points: NotRequired[int]
    totals: list[LedgerTotalShape]
    entries: list[LedgerEntryShape]
    cursor: NotRequired[str]


@router.get("/{account_id}/ledger", response_model=LedgerAnswer, operation_id="ListLedgerEntries")
async def list_ledger(
    caller: LoyaltyReader,
    account_id: str,
    limit: Annotated[int, Query(ge=1, le=PAGE_MAX)] = PAGE,
    cursor: SoughtCursor | None = None,
) -> Response:
    """The account's entries, newest first, and the sum that they prove.

    "balance 57 = 120 earned − 50 taken − 13 expired": the whole account, whatever the page.
    """
    account_id = known_id(account_id)
    filters = {"account_id": account_id}
    deps = caller.deps
    position = cursors.read(deps, caller.chain_id, "ledger", filters, cursor)
    with api_fields({"account_id": ""}):
        ledger = await deps.clients.points.GetLedger(
            points_pb2.GetLedgerRequest(
                chain_id=caller.chain_id,
                account_id=account_id,
                before_sequence=int(position[0]) if position else 0,
                limit=limit,
            )
        )
    page: LedgerAnswer = {
        "loyalty_account_id": account_id,
        "balance": ledger.balance - ledger.overdue,
        "text": sentence(ledger, caller.language),
        "totals": [
            {
                "type": TYPES.get(total.kind, "OTHER"),
                "points": total.points,
                "entries": total.entries,
            }
            for total in ledger.totals
        ],
        "entries": [entry_shape(line) for line in ledger.lines],
    }
    if ledger.overdue:
        page["overdue_points"] = ledger.overdue
    if ledger.more:
        last = str(ledger.lines[-1].entry.sequence)
        page["cursor"] = cursors.give(deps, caller.chain_id, "ledger", filters, [last])
    return Json(page)


def sentence(ledger: points_pb2.GetLedgerResponse, language: str) -> str:
    """The sum in words: "balance 57 = 120 earned − 50 taken − 13 expired".

    What has ended counts as expired, posted or not.
    """
    sums = _sums(ledger.totals)
    sums["expired"] -= ledger.overdue
    parts = [name for name, _ in _PARTS if sums[name]] or ["earned"]
    text = f"{_BALANCE[language]} {_signed(ledger.balance - ledger.overdue)} ="
    for place, name in enumerate(parts):
        points = sums[name]
        word = i18n.texts(language).ngettext(*_WORDS[language][name], points)
        if place == 0:
            text += f" {_signed(points)} {word}"
        else:
            text += f" {'−' if points < 0 else '+'} {abs(points)} {word}"
    return text


def _sums(totals: Iterable[points_pb2.LedgerTotal]) -> dict[str, int]:
    by_kind = {total.kind: total.points for total in totals}
    return {name: sum(by_kind.get(kind, 0) for kind in kinds) for name, kinds in _PARTS}


def _signed(points: int) -> str:
    return f"−{-points}" if points < 0 else str(points)


def entry_shape(line: points_pb2.LedgerLine) -> LedgerEntryShape:
    """An entry with what it took and what of it is left."""
    entry = line.entry
    shape: LedgerEntryShape = {
        "id": entry.id,
        "sequence": entry.sequence,
        "type": TYPES.get(entry.kind, "OTHER"),
        "points": entry.points,
        "balance_after": entry.balance_after,
        "created_at": moment(entry.occurred_at),
        "recorded_at": moment(entry.recorded_at),
        "actor": _actor(entry.actor),
    }
    if entry.salon_id:
        shape["location_id"] = entry.salon_id
    if entry.source in SOURCES:
        shape["source"] = SOURCES[entry.source]
    reason = entry.note or REASON_WORDS.get(entry.reason, "")
    if reason:
        shape["reason"] = reason
    _add_origin(shape, entry)
    if line.uses:
        shape["uses"] = [{"entry_id": use.entry_id, "points": use.points} for use in line.uses]
    if line.expiry_policy:
        shape["remaining_points"] = line.remaining
        shape["expiration_policy"] = line.expiry_policy
    if line.HasField("expires_at"):
        shape["expires_at"] = moment(line.expires_at)
    return shape


def _add_origin(shape: LedgerEntryShape, entry: points_pb2.Entry) -> None:
    """What the entry comes from: a sale, its refund, a promotion, a reward, another entry."""
    if entry.sale_id:
        shape["order_id"] = entry.sale_id
    if entry.change_id:
        shape["change_id"] = entry.change_id
    if entry.tier_bonus:
        shape["tier_bonus_points"] = entry.tier_bonus
    if entry.promotion_id:
        shape["loyalty_promotion_id"] = entry.promotion_id
    if entry.reward_id:
        shape["reward_id"] = entry.reward_id
    if entry.reverses:
        shape["reverses"] = entry.reverses


def _actor(actor: Actor) -> ActorShape:
    kind = _ACTORS.get(actor.kind, "UNKNOWN")
    return {"type": kind, "id": actor.id} if actor.id else {"type": kind}
