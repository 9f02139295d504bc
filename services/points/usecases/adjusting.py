"""Points by hand: put right by staff, with a reason, up or down (LS-72, LS-73, SQ-30)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from services.chassis import idempotency, outbox
from services.chassis.errors import InvariantViolated
from services.chassis.postgres import Connection, in_transaction
from services.points import events, metrics
from services.points.domain import expiry, ledger, programs
from services.points.domain.errors import (
    AccountUnknown,
    NoteRequired,
    PointsInvalid,
    ReasonRequired,
    SalonUnknown,
)
from services.points.domain.ids import AccountId, ChainId, LotId, PostingId, SalonId
from services.points.domain.ledger import Actor, AdjustmentReason, Entry, Fact
from services.points.domain.texts import tidy_text
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage import programs as program_rows
from services.points.usecases import overdue, requests
from services.points.usecases.deps import Deps

# A hand that types more has slipped.
ADJUSTMENT_POINTS_MAX = 1_000_000
NOTE_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """What staff want to put right."""

    idempotency_key: str
    chain_id: ChainId
    account_id: AccountId
    points: int
    reason: AdjustmentReason | None
    note: str
    allow_negative_balance: bool
    salon_id: SalonId | None
    actor: Actor


async def adjust_points(deps: Deps, adjustment: Adjustment) -> Entry:
    """Move points by hand. Repeatable: the same key returns the first entry.

    Locks the key, then the account. Refuses with PointsInvalid (zero too), ReasonRequired,
    NoteRequired, TextInvalid, AccountUnknown, SalonUnknown, BalanceTooLarge, and with
    BalanceBelowZero unless a negative balance is allowed (D3).
    """
    reason, note = _checked(adjustment)
    claim = requests.claim(
        deps,
        chain_id=adjustment.chain_id,
        operation="adjust",
        key=adjustment.idempotency_key,
        meaning=(
            str(adjustment.account_id),
            adjustment.points,
            reason.value,
            note,
            adjustment.allow_negative_balance,
            str(adjustment.salon_id or ""),
        ),
    )

    async def work(conn: Connection) -> tuple[Entry, bool]:
        done: list[Entry] = []

        async def adjust() -> bytes:
            done.append(await _adjust(deps, conn, adjustment, reason=reason, note=note))
            return done[0].posting.id.bytes

        answer = PostingId(UUID(bytes=await idempotency.once(conn, claim, adjust)))
        if done:
            return done[0], True
        found = await ledger_rows.entries_by_id(conn, [(adjustment.chain_id, answer)])
        if answer not in found:
            raise InvariantViolated("an adjustment was answered that is not in the ledger")
        return found[answer], False

    entry, first = await in_transaction(deps.pool, work)
    if first:
        direction = "added" if adjustment.points > 0 else "removed"
        metrics.POINTS_ADJUSTED_TOTAL.labels(direction).inc(abs(adjustment.points))
    return entry


def _checked(adjustment: Adjustment) -> tuple[AdjustmentReason, str]:
    if adjustment.points == 0 or abs(adjustment.points) > ADJUSTMENT_POINTS_MAX:
        raise PointsInvalid(minimum=-ADJUSTMENT_POINTS_MAX, maximum=ADJUSTMENT_POINTS_MAX)
    # Nobody joins a mailing list by somebody else's hand.
    if adjustment.reason in (None, AdjustmentReason.MAILING_LIST):
        raise ReasonRequired
    note = tidy_text("note", adjustment.note, length_max=NOTE_LENGTH_MAX)
    if adjustment.reason is AdjustmentReason.OTHER and not note:
        raise NoteRequired
    return adjustment.reason, note


async def _adjust(
    deps: Deps, conn: Connection, adjustment: Adjustment, *, reason: AdjustmentReason, note: str
) -> Entry:
    chain_id, salon_id = adjustment.chain_id, adjustment.salon_id
    view = await program_rows.chain_view(conn, chain_id, *([salon_id] if salon_id else []))
    if salon_id is not None and salon_id not in view.known_salons:
        raise SalonUnknown
    account = await account_rows.lock_account(conn, chain_id, adjustment.account_id)
    if account is None:
        raise AccountUnknown
    account, _ = await overdue.post_overdue(deps, conn, account)
    now = deps.clock.now(chain_id)
    policy = programs.named(view.programs, account.program_id).expiry_policy
    open_lots = (
        await ledger_rows.open_lots(conn, chain_id, account.id, points=-adjustment.points)
        if adjustment.points < 0
        else []
    )
    movement = ledger.adjust(
        account,
        points=adjustment.points,
        reason=reason,
        note=note,
        allow_negative_balance=adjustment.allow_negative_balance,
        open_lots=open_lots,
        fact=Fact(
            posting_id=PostingId(deps.new_id()),
            lot_id=LotId(deps.new_id()),
            occurred_at=now,
            salon_id=salon_id,
            actor=adjustment.actor,
            policy=policy,
            expires_at=expiry.expires_at(now, policy=policy, zone=view.zone(salon_id)),
        ),
    )
    recorded = await ledger_rows.write(conn, [movement])
    await outbox.append(conn, [events.points_posted(movement.entry)])
    return replace(movement.entry, recorded_at=recorded[movement.posting.id])
