"""What makes a message wait: quiet hours by the recipient's clock, and the chain's day (D38).

Neither ever makes it fail, and neither holds a security message.
"""

from __future__ import annotations

from collections.abc import Set
from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.chassis.postgres import Connection
from services.messaging import phones
from services.messaging.domain import message_settings
from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.consent import Channel, MessageClass
from services.messaging.domain.delivery import Delivery, Wait
from services.messaging.domain.message_settings import MessageSettings
from services.messaging.storage import contacts
from services.messaging.storage import message_settings as rows
from services.messaging.usecases.deps import Deps

QUIET_HOURS = "quiet_hours"
DAILY_CAP = "daily_cap"


async def settings_of(conn: Connection, chain_id: ChainId, chain: Chain | None) -> MessageSettings:
    """What a chain chose, or the given settings."""
    chosen = await rows.find(conn, [chain_id])
    return chosen.get(chain_id) or message_settings.given(chain_id, chain)


async def all_settings(conn: Connection, chain_ids: Set[ChainId]) -> dict[ChainId, MessageSettings]:
    """The same for many chains."""
    chosen = await rows.find(conn, chain_ids)
    chains = await contacts.find_chains(conn, chain_ids - chosen.keys())
    given = {
        chain_id: message_settings.given(chain_id, chains.get(chain_id))
        for chain_id in chain_ids
        if chain_id not in chosen
    }
    return {**given, **chosen}


def home_zone(chain: Chain) -> ZoneInfo:
    """The chain's home zone; a zone that this machine does not know counts as UTC."""
    try:
        return ZoneInfo(chain.home_time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def today(deps: Deps, chain: Chain) -> date:
    """The day by the chain's own calendar."""
    return deps.clock.now(chain.chain_id).astimezone(home_zone(chain)).date()


def quiet(
    deps: Deps, delivery: Delivery, chain: Chain | None, settings: MessageSettings
) -> Wait | None:
    """The wait for the end of the recipient's quiet hours; None when nobody is disturbed."""
    if delivery.message_class is MessageClass.SECURITY or chain is None or settings.quiet is None:
        return None
    zone = home_zone(chain)
    if delivery.channel is Channel.SMS:
        zone = phones.zone_of(delivery.address) or zone
    end = settings.quiet.end(deps.clock.now(chain.chain_id), zone=zone)
    return None if end is None else _wait(deps, chain.chain_id, end, reason=QUIET_HOURS)


async def count_sms(
    deps: Deps,
    conn: Connection,
    delivery: Delivery,
    chain: Chain | None,
    settings: MessageSettings,
    *,
    segments: int,
) -> Wait | None:
    """Count a text that is about to leave for the first time; the wait where its day is full.

    Security messages are counted and never held. Locks the chain's day.
    """
    if chain is None or delivery.channel is not Channel.SMS or delivery.attempts:
        return None
    held = delivery.message_class is not MessageClass.SECURITY
    counted = await rows.count_sms(
        conn,
        chain.chain_id,
        today(deps, chain),
        segments=segments,
        cap=settings.daily_sms_cap if held else 0,
    )
    if counted:
        return None
    morning = message_settings.next_day(deps.clock.now(chain.chain_id), zone=home_zone(chain))
    return _wait(deps, chain.chain_id, morning, reason=DAILY_CAP)


def _wait(deps: Deps, chain_id: ChainId, end: datetime, *, reason: str) -> Wait:
    return Wait(until=end - deps.clock.offset(chain_id), reason=reason, business_until=end)
