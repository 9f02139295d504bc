"""How long rows are kept that serve for a while only; the journal of deliveries is its owner's."""

from __future__ import annotations

from typing import Final

from services.chassis.retention import Rule


def _rule(table: str, *, days: int) -> Rule:
    return Rule(
        table=table,
        days=days,
        statement=f"""
        DELETE FROM {table} WHERE ctid IN (
            SELECT ctid FROM {table}
            WHERE recorded_at < now() - make_interval(days => $1) LIMIT $2)
        """,  # noqa: S608
    )


RULES: Final = (
    # No news is any two weeks and a half later, and a contact that has not come by then never will.
    _rule("early_news", days=30),
    # Whoever builds against a sandbox reads what it sent today; its words name people.
    _rule("sandbox_message", days=90),
    # No provider brings a text again after a month.
    _rule("inbound_sms", days=30),
    # A send is no news any more after a week; these were left when it was stopped.
    _rule("send_recipient", days=14),
    # The provider's own answer is written down within minutes, or never.
    _rule("provider_status", days=1),
)
