"""What a chain chooses for its messages (D20, SQ-09, SQ-67)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.message_settings import (
    MessageSettings,
    ReceiptMode,
    checked,
    quiet_hours,
)
from services.messaging.storage import contacts, deliveries
from services.messaging.storage import message_settings as rows
from services.messaging.usecases import holding
from services.messaging.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsChange:
    """What an owner changes; None stays as it is."""

    chain_id: ChainId
    receipts: ReceiptMode | None = None
    expiry_warnings: bool | None = None
    tier_changes: bool | None = None
    collect_email_points: int | None = None
    # "21:00"; empty together with the other: no quiet hours.
    quiet_from: str | None = None
    quiet_until: str | None = None
    daily_sms_cap: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsView:
    """The choices of a chain, and what it has sent today."""

    settings: MessageSettings
    sms_today: int


async def get_settings(deps: Deps, chain_id: ChainId) -> SettingsView:
    """What a chain chose, or the given settings; its SMS of today by its own calendar."""

    async def work(conn: Connection) -> SettingsView:
        chain = await contacts.find_chain(conn, chain_id)
        return SettingsView(
            settings=await holding.settings_of(conn, chain_id, chain),
            sms_today=await _sms_today(deps, conn, chain_id, chain),
        )

    return await in_transaction(deps.pool, work)


async def _sms_today(deps: Deps, conn: Connection, chain_id: ChainId, chain: Chain | None) -> int:
    if chain is None:
        return 0
    return await rows.sms_of(conn, chain_id, holding.today(deps, chain))


async def update_settings(deps: Deps, change: SettingsChange) -> MessageSettings:
    """Change a chain's choices; they hold for every message that has not left yet.

    Repeatable. Locks the chain's choices. Refuses with NumberOutOfRange and QuietHoursInvalid.
    """

    async def work(conn: Connection) -> MessageSettings:
        await rows.lock(conn, change.chain_id)
        chain = await contacts.find_chain(conn, change.chain_id)
        before = await holding.settings_of(conn, change.chain_id, chain)
        after = checked(_changed(before, change))
        if after == before:
            return before
        after = replace(after, version=before.version + 1)
        await rows.put(conn, after, at=deps.clock.real_now())
        if (after.quiet, after.daily_sms_cap) != (before.quiet, before.daily_sms_cap):
            # Each asks the new hours and the new cap when its turn comes, and waits again or not.
            await deliveries.wake_waiting(conn, change.chain_id, real_now=deps.clock.real_now())
        return after

    return await in_transaction(deps.pool, work)


def _changed(before: MessageSettings, change: SettingsChange) -> MessageSettings:
    quiet = before.quiet
    if change.quiet_from is not None or change.quiet_until is not None:
        start = f"{quiet.start:%H:%M}" if quiet else ""
        until = f"{quiet.until:%H:%M}" if quiet else ""
        quiet = quiet_hours(
            start if change.quiet_from is None else change.quiet_from,
            until if change.quiet_until is None else change.quiet_until,
        )

    return replace(
        before,
        receipts=before.receipts if change.receipts is None else change.receipts,
        expiry_warnings=(
            before.expiry_warnings if change.expiry_warnings is None else change.expiry_warnings
        ),
        tier_changes=before.tier_changes if change.tier_changes is None else change.tier_changes,
        collect_email_points=(
            before.collect_email_points
            if change.collect_email_points is None
            else change.collect_email_points
        ),
        quiet=quiet,
        daily_sms_cap=(
            before.daily_sms_cap if change.daily_sms_cap is None else change.daily_sms_cap
        ),
    )
