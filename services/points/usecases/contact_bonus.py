"""Points for an e-mail address that was asked for, once a member (SQ-08, SQ-09)."""

from __future__ import annotations

import structlog

from services.chassis import outbox
from services.chassis.postgres import Connection
from services.points import events, metrics
from services.points.domain import expiry, ledger, programs
from services.points.domain.errors import ProgramInactive, ProgramUnknown
from services.points.domain.ids import ChainId, LotId, MemberId, PostingId
from services.points.domain.ledger import Actor, ActorKind, AdjustmentReason, Fact
from services.points.storage import accounts as account_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage import programs as program_rows
from services.points.usecases import overdue
from services.points.usecases.accounts import open_account_within
from services.points.usecases.deps import Deps

log = structlog.get_logger(__name__)


async def give(
    deps: Deps, conn: Connection, *, chain_id: ChainId, member_id: MemberId, points: int
) -> None:
    """Give a member the points that she was promised, in the chain's default program.

    Once a member, by business key, whatever is told again. It counts for no tier. A chain without
    a running program gives nothing. Locks the account.
    """
    try:
        opened = await open_account_within(
            deps, conn, chain_id=chain_id, member_id=member_id, program_id=None
        )
    except (ProgramUnknown, ProgramInactive):
        log.info("contact_bonus_without_a_program", chain_id=str(chain_id))
        return
    account = await account_rows.lock_account(conn, chain_id, opened.id)
    key = ledger.contact_key(member_id)
    if account is None or await ledger_rows.entries_by_business_key(conn, [(chain_id, key)]):
        return
    account, _ = await overdue.post_overdue(deps, conn, account)
    view = await program_rows.chain_view(conn, chain_id)
    now = deps.clock.now(chain_id)
    policy = programs.named(view.programs, account.program_id).expiry_policy
    movement = ledger.adjust(
        account,
        points=points,
        reason=AdjustmentReason.MAILING_LIST,
        note="",
        allow_negative_balance=False,
        open_lots=[],
        fact=Fact(
            posting_id=PostingId(deps.new_id()),
            lot_id=LotId(deps.new_id()),
            occurred_at=now,
            actor=Actor(kind=ActorKind.SYSTEM),
            business_key=key,
            policy=policy,
            expires_at=expiry.expires_at(now, policy=policy, zone=view.zone(None)),
        ),
    )
    await ledger_rows.write(conn, [movement])
    await outbox.append(conn, [events.points_posted(movement.entry)])
    metrics.POINTS_ADJUSTED_TOTAL.labels("added").inc(points)
