"""What leaves at a business time by itself: birthdays and planned sends (LS-70, D38)."""

from __future__ import annotations

from datetime import datetime

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain import schedule
from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.delivery import NEWS_AGE_MAX
from services.messaging.domain.schedule import ScheduledMessage, has_schedules
from services.messaging.storage import contacts, schedules
from services.messaging.storage import sends as send_rows
from services.messaging.usecases import holding, sends
from services.messaging.usecases.deps import Deps


async def chains(deps: Deps) -> list[ChainId]:
    """The chains in which something may fall due."""

    async def work(conn: Connection) -> list[ChainId]:
        return sorted({*await schedules.chains(conn), *await send_rows.chains(conn)})

    return await in_transaction(deps.pool, work)


async def next_due(deps: Deps, chain_id: ChainId) -> datetime | None:
    """The earliest business moment at which the chain has somebody to write to; None: nobody."""

    async def work(conn: Connection) -> datetime | None:
        chain = await contacts.find_chain(conn, chain_id)
        if chain is None:
            return None
        found = (
            await _next_greeting(deps, conn, chain),
            await send_rows.next_at(conn, chain_id),
        )
        return min((one for one in found if one is not None), default=None)

    return await in_transaction(deps.pool, work)


async def run_due(deps: Deps, chain_id: ChainId) -> int:
    """Queue what is due by the chain's business time; how many messages. Repeatable.

    Birthdays and each planned send have a transaction of their own: a send that fails, or takes
    long, holds up no birthday.
    """
    return await _greet(deps, chain_id) + await sends.let_due_go(deps, chain_id)


async def _greet(deps: Deps, chain_id: ChainId) -> int:
    """Queue the birthday messages of the days that are due; one held by the plan stays (P4)."""

    async def work(conn: Connection) -> int:
        chain = await contacts.find_chain(conn, chain_id)
        if chain is None or not has_schedules(chain):
            return 0
        now, zone = deps.clock.now(chain_id), holding.home_zone(chain)
        real_now = deps.clock.real_now()
        queued = 0
        for message in await _enabled(conn, chain_id):
            for day in schedule.days_due(message, now=now, zone=zone):
                queued += await schedules.queue(
                    conn,
                    message,
                    schedule.birthdays_on(day, days_before=message.days_before),
                    now=now,
                    real_now=real_now,
                    expires_at=real_now + NEWS_AGE_MAX,
                )
        return queued

    return await in_transaction(deps.pool, work)


async def _enabled(conn: Connection, chain_id: ChainId) -> list[ScheduledMessage]:
    return [one for one in await schedules.of_chain(conn, chain_id) if one.enabled]


async def _next_greeting(deps: Deps, conn: Connection, chain: Chain) -> datetime | None:
    messages = await _enabled(conn, chain.chain_id) if has_schedules(chain) else []
    if not messages:
        return None
    now, zone = deps.clock.now(chain.chain_id), holding.home_zone(chain)
    found: list[datetime] = []
    birthdays = await schedules.month_days(conn, chain.chain_id)
    for message in messages:
        found += [
            schedule.moment(day, zone)
            for day in schedule.days_due(message, now=now, zone=zone)
            if await schedules.is_pending(
                conn, message, schedule.birthdays_on(day, days_before=message.days_before)
            )
        ]
        since = max(message.runs_from, schedule.first_open_day(now=now, zone=zone))
        days = (
            schedule.next_day(one, days_before=message.days_before, since=since)
            for one in birthdays
        )
        found += [schedule.moment(day, zone) for day in days if day is not None]
    return min(found, default=None)
