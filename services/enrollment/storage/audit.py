"""The audit trail: who did what to whom, by ids alone."""

from __future__ import annotations

from services.chassis import context
from services.chassis.postgres import Connection
from services.enrollment.domain.ids import Actor, ChainId


async def note(
    conn: Connection,
    *,
    chain_id: ChainId,
    actor: Actor,
    action: str,
    subject_id: object,
    detail: str = "",
) -> None:
    """Write down an action in the transaction of its effect. `detail` holds no personal data."""
    await conn.execute(
        """
        INSERT INTO audit_entry (chain_id, actor_kind, actor_id, action, subject_id, detail,
                                 request_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        chain_id,
        actor.kind,
        actor.id,
        action,
        str(subject_id),
        detail,
        context.request_id(),
    )
