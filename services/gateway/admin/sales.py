"""A sale at the desk: its lines, what they earned, and its refunds (SQ-58, N5)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final
from uuid import UUID, uuid4

from fastapi import APIRouter, Response
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import (
    CalculatePointsRequest,
    ChangeEffect,
    GetSaleRequest,
    ListEntriesRequest,
    RefundSaleRequest,
    ReturnedLine,
    Sale,
    SaleLine,
    SalePoints,
)
from loyalty.rewards.v1.rewards_pb2 import GetRewardRequest
from loyalty.types.v1.types_pb2 import Money

from services.chassis.errors import RemoteRefusal
from services.gateway import feed
from services.gateway.admin.catalog import names_of_objects
from services.gateway.admin.desk import Desk, DeskDep, RefunderDesk
from services.gateway.admin.history import lines_of, names_of
from services.gateway.admin.members import member_name, member_of
from services.gateway.errors import ApiError
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    amount_minor,
    new_key,
    problems_of,
    read_fields,
)
from services.gateway.web.i18n import N_

router = APIRouter()

ENTRIES_MAX: Final = 100
# Every line of the longest sale, and what stands around them.
FIELDS_MAX: Final = 520
_QUANTITY = re.compile(r"[0-9]{1,7}(?:[.,][0-9]{1,5})?")
_SHOWN = {
    "amount_money": "amount",
    "line_items": "lines",
    "line_items.quantity": "lines",
    "refund": "kind",
}

CHANGES: Final = {
    points_pb2.SALE_CHANGE_TYPE_FULL: N_("Remboursement de tout"),
    points_pb2.SALE_CHANGE_TYPE_ITEMS: N_("Remboursement d'articles"),
    points_pb2.SALE_CHANGE_TYPE_CUSTOM_AMOUNT: N_("Remboursement d'un montant"),
    points_pb2.SALE_CHANGE_TYPE_EXCHANGE: N_("Échange d'articles"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """A line as the page shows it; `left` can still come back."""

    line: SaleLine
    name: str
    earns: bool
    left: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a sale gives, and its lines that give nothing. Of an open one: would give."""

    points: SalePoints
    silent: frozenset[str] = field(default_factory=frozenset)

    @property
    def total(self) -> int:
        """Base, bonus and promotion."""
        return self.points.base + self.points.tier_bonus + self.points.promotion


async def _sale(desk: Desk, sale_id: str) -> Sale:
    try:
        wanted = str(UUID(sale_id))
    except ValueError:
        raise ApiError.of("NOT_FOUND") from None
    request = GetSaleRequest(chain_id=desk.chain_id, sale_id=wanted)
    return (await desk.deps.clients.points.GetSale(request)).sale


async def _worth(desk: Desk, sale: Sale) -> Worth:
    """What it earned; of an open sale what it would, as the till tells the client (SQ-58)."""
    if sale.state == points_pb2.SALE_STATE_COUNTED:
        return Worth(points=sale.earned, silent=frozenset(sale.silent_line_uids))
    try:
        told = await desk.deps.clients.points.CalculatePoints(
            CalculatePointsRequest(chain_id=desk.chain_id, program_id="main", sale_id=sale.id)
        )
    except RemoteRefusal:
        # No program runs now: nothing earns.
        return Worth(points=SalePoints(), silent=frozenset(line.uid for line in sale.lines))
    return Worth(points=told.points, silent=frozenset(told.silent_line_uids))


def sold_lines(
    sale: Sale, silent: frozenset[str] = frozenset(), names: Mapping[str, str] | None = None
) -> list[SoldLine]:
    """The lines with what is left of each after refunds of articles and exchanges.

    `names` are the catalog's, for lines that the till did not name.
    """
    names = names or {}
    back: dict[str, Decimal] = {}
    for change in sale.changes:
        for returned in change.returned:
            back[returned.uid] = back.get(returned.uid, Decimal(0)) + Decimal(returned.quantity)
    whole = any(change.type == points_pb2.SALE_CHANGE_TYPE_FULL for change in sale.changes)
    added = [line for change in sale.changes for line in change.added]
    return [
        SoldLine(
            line=line,
            name=line.name or names.get(line.item_id) or names.get(line.variation_id, ""),
            earns=line.uid not in silent,
            left=Decimal(0)
            if whole
            else max(Decimal(0), Decimal(line.quantity) - back.get(line.uid, Decimal(0))),
        )
        for line in [*sale.lines, *added]
    ]


def _unnamed(sale: Sale) -> list[str]:
    lines = [*sale.lines, *(line for change in sale.changes for line in change.added)]
    return [line.item_id or line.variation_id for line in lines if not line.name]


async def _show(
    desk: Desk, sale: Sale, *, fields: Fields | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    clients = desk.deps.clients
    worth, names, entries, salons = await asyncio.gather(
        _worth(desk, sale),
        names_of_objects(desk, _unnamed(sale)),
        clients.points.ListEntries(
            ListEntriesRequest(chain_id=desk.chain_id, sale_id=sale.id, limit=ENTRIES_MAX)
        ),
        desk.salons(),
    )
    items = await feed.items_of(clients, desk.chain_id, entries.entries)
    member = await member_of(desk, sale.member_id) if sale.member_id else None
    return desk.show(
        "sale.html",
        here="members",
        problems=problems,
        sale=sale,
        counted=sale.state == points_pb2.SALE_STATE_COUNTED,
        salon=names_of(salons).get(sale.salon_id, ""),
        worth=worth,
        held=sale.held.base + sale.held.tier_bonus + sale.held.promotion,
        lines=sold_lines(sale, worth.silent, names),
        entries=await lines_of(desk, items),
        changes=[(change, desk.say(CHANGES.get(change.type, ""))) for change in sale.changes],
        is_gone=any(c.type == points_pb2.SALE_CHANGE_TYPE_FULL for c in sale.changes),
        member=member,
        name=member_name(desk, member) if member else "",
        fields=fields or Fields(kind="full"),
        key=new_key(),
    )


@router.get("/admin/sales/{sale_id}")
async def sale_page(desk: DeskDep, sale_id: str) -> Response:
    """One sale: its lines, what gave points and what did not, its refunds."""
    return await _show(desk, await _sale(desk, sale_id))


def _refund(desk: Desk, sale: Sale, fields: Fields) -> tuple[RefundSaleRequest, Problems]:
    """What the form asks to be refunded, named after the page, so that it happens once (R35)."""
    request = RefundSaleRequest(
        idempotency_key=fields.key,
        chain_id=desk.chain_id,
        sale_id=sale.id,
        change_id=f"panel:{_page_key(fields)}",
        actor=desk.principal.actor,
    )
    if fields["kind"] == "amount":
        amount, problems = amount_minor(fields.text("amount"), desk.language, "amount")
        request.amount.CopyFrom(Money(amount=amount, currency=sale.currency))
        return request, problems
    if fields["kind"] == "items":
        lines, problems = _returned(desk, sale, fields)
        request.items.lines.extend(lines)
        return request, problems
    request.full.SetInParent()
    return request, NO_PROBLEMS


def _page_key(fields: Fields) -> str:
    try:
        return str(UUID(fields["k"]))
    except ValueError:
        return str(uuid4())


def _returned(desk: Desk, sale: Sale, fields: Fields) -> tuple[list[ReturnedLine], Problems]:
    """So many of each line; lines are known by their place, uids are the till's own."""
    found: list[ReturnedLine] = []
    for place, sold in enumerate(sold_lines(sale)):
        typed = fields.text(f"line-{place}")
        if not typed or not typed.strip("0,."):
            continue
        if not _QUANTITY.fullmatch(typed):
            words = desk.say("Entrez un nombre pour chaque article, par exemple 1.")
            return [], Problems(fields={"lines": words})
        found.append(ReturnedLine(uid=sold.line.uid, quantity=typed.replace(",", ".")))
    if not found:
        return [], Problems(fields={"lines": desk.say("Dites combien de quel article revient.")})
    return found, NO_PROBLEMS


@router.post("/admin/sales/{sale_id}/refund")
async def preview(desk: RefunderDesk, sale_id: str) -> Response:
    """What the refund would do, before it is confirmed: "−25 points, récompense rendue" (N5)."""
    fields = await read_fields(desk.request, fields_max=FIELDS_MAX)
    sale = await _sale(desk, sale_id)
    request, problems = _refund(desk, sale, fields)
    if problems:
        return await _show(desk, sale, fields=fields, problems=problems)
    request.dry_run = True
    try:
        answer = await desk.deps.clients.points.RefundSale(request)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return await _show(desk, sale, fields=fields, problems=problems)
    returned = await asyncio.gather(
        *(_reward_name(desk, each) for each in answer.effect.returned_reward_ids)
    )
    return desk.show(
        "refund.html",
        here="members",
        sale=sale,
        effect=answer.effect,
        told=effect_words(desk, answer.effect),
        returned=returned,
        asked=[(name, value) for name, value in fields.items() if value],
    )


async def _reward_name(desk: Desk, reward_id: str) -> str:
    request = GetRewardRequest(chain_id=desk.chain_id, reward_id=reward_id)
    return str((await desk.deps.clients.rewards.GetReward(request)).reward.name)


def effect_words(desk: Desk, effect: ChangeEffect) -> str:
    """The effect in one line: "−25 points, récompense rendue, solde 32" (N5)."""
    parts = [desk.say("aucun point ne change")]
    if effect.points:
        sign = "−" if effect.points < 0 else "+"
        parts = [sign + desk.count("%(num)s point", "%(num)s points", abs(effect.points))]
    back = len(effect.returned_reward_ids)
    if back:
        parts.append(desk.count("récompense rendue", "%(num)s récompenses rendues", back))
    if effect.sale.account_id:
        parts.append(desk.say("solde %(balance)s", balance=desk.number(effect.balance)))
    return ", ".join(parts)


@router.post("/admin/sales/{sale_id}/refund/confirm")
async def refund(desk: RefunderDesk, sale_id: str) -> Response:
    """ "Confirmer le remboursement": once, however often the button is pressed."""
    fields = await read_fields(desk.request, fields_max=FIELDS_MAX)
    sale = await _sale(desk, sale_id)
    request, problems = _refund(desk, sale, fields)
    if problems:
        return await _show(desk, sale, fields=fields, problems=problems)
    try:
        answer = await desk.deps.clients.points.RefundSale(request)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return await _show(desk, sale, fields=fields, problems=problems)
    if sale.member_id:
        for kind in ("points", "rewards"):
            await desk.deps.live.publish(desk.chain_id, sale.member_id, kind)
    done = "changed_before" if answer.effect.repeated_change else "refunded"
    return desk.go(f"sales/{sale.id}", done=done)
