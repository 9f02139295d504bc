"""PostgreSQL: the pool, and transactions that survive what may be retried."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import asyncpg
import orjson

from services.chassis.errors import TooBusy, Unavailable

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool

T = TypeVar("T")

# A request's deadline is 5 s; a statement that runs longer works for nobody.
STATEMENT_TIMEOUT_MS = 10_000
LOCK_TIMEOUT_MS = 4_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000
ACQUIRE_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 5.0
RETRY_DELAY_SECONDS_MAX = 1.0

# The server or the way to it is gone; nothing of an uncommitted transaction remains.
LOST_CONNECTION: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
# Two transactions met; the loser may simply run again.
LOST_RACE: tuple[type[Exception], ...] = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)
# Waited too long for others; the caller may ask again later.
TOO_BUSY: tuple[type[Exception], ...] = (
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the server or the way to it is gone, and not that we erred.

    asyncpg uses one class for both; only the words tell them apart. A pooled connection that is
    lost while it is held counts as given back.
    """
    if isinstance(error, asyncpg.InterfaceError):
        return "clos" in str(error) or "released back" in str(error)
    return isinstance(error, LOST_CONNECTION)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


async def _prepare(conn: Any) -> None:
    """Make a fresh connection speak jsonb as Python values."""
    await conn.set_type_codec(
        "jsonb", encoder=_to_json, decoder=orjson.loads, schema="pg_catalog", format="text"
    )


async def _keep_session(_conn: Any) -> None:
    """Nothing to undo when a connection returns: we set no session state on pooled connections.

    It spares each transaction the round trip of asyncpg's own reset.
    """


def server_settings(name: str, *, plans_once: bool = False) -> dict[str, str]:
    """What every session of ours asks of the server.

    With `plans_once` it plans each statement one time and never again for the values at hand: for
    the same few statements all day, whose best plan does not depend on them.
    """
    once = {"plan_cache_mode": "force_generic_plan"} if plans_once else {}
    return once | {
        "application_name": name,
        "timezone": "UTC",
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "lock_timeout": str(LOCK_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
    }


async def create_pool(url: str, *, size_max: int = 8, name: str, plans_once: bool = False) -> Pool:
    """Open a pool that identifies itself as `name`; raises `Unavailable` when nobody answers."""
    try:
        return await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size_max,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_settings=server_settings(name, plans_once=plans_once),
            init=_prepare,
            reset=_keep_session,
        )
    except LOST_CONNECTION as error:
        raise Unavailable(f"PostgreSQL does not answer: {type(error).__name__}") from error


async def connect(
    url: str, *, name: str, plans_once: bool = False
) -> asyncpg.Connection[asyncpg.Record]:
    """Open one connection outside the pool, for locks and listeners that outlive a transaction."""
    conn = await asyncpg.connect(
        url,
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings=server_settings(name, plans_once=plans_once),
    )
    await _prepare(conn)
    return conn


@asynccontextmanager
async def listening(
    pool: Pool, channel: str, heard: Callable[[Any, int, str, object], None]
) -> AsyncIterator[Connection]:
    """Hear the notices of a channel, on a connection of the pool that is held for it.

    Yields that connection. Its loss makes no sound: whoever listens asks it something now and
    then, and begins anew when that fails.
    """
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
        await conn.add_listener(channel, heard)
        try:
            yield conn
        finally:
            # A lost connection hears nothing any more, and its complaint would take the place of
            # the reason why we leave: a cancelled listener would go on for ever.
            with contextlib.suppress(*LOST_CONNECTION):
                await conn.remove_listener(channel, heard)


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """One READ COMMITTED transaction, without retry."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn, conn.transaction():
        yield conn


async def in_transaction(
    pool: Pool, work: Callable[[Connection], Awaitable[T]], *, attempts_max: int = 5
) -> T:
    """Run `work` in one READ COMMITTED transaction and return its result.

    Runs again, a bounded number of times with growing random pauses, after a serialization
    failure, a deadlock, or a connection lost before the commit was sent. A connection lost during
    the commit is not retried, since the outcome is unknown: the caller sends its idempotency key
    again. `Unavailable` when the attempts are used up, `TooBusy` when others hold the locks too
    long.
    """
    for attempt in range(1, attempts_max + 1):
        committing = False
        try:
            async with pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS) as conn:
                block = conn.transaction()
                await block.start()
                try:
                    result = await work(conn)
                except BaseException:
                    await _roll_back(conn, block)
                    raise
                committing = True
                await block.commit()
                return result
        except LOST_RACE as error:
            if attempt == attempts_max:
                raise Unavailable("too many transactions met") from error
        except TOO_BUSY as error:
            raise TooBusy("waited too long for a lock or an answer") from error
        except LOST_CONNECTION as error:
            if not is_lost(error):
                raise
            if committing or attempt == attempts_max:
                raise Unavailable(f"PostgreSQL was lost: {type(error).__name__}") from error
        pause = min(0.02 * 2**attempt, RETRY_DELAY_SECONDS_MAX)
        await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311
    raise Unavailable("no attempt was allowed")


async def _roll_back(conn: Connection, block: Any) -> None:
    """Roll back where there is still a connection to do it on."""
    try:
        if not conn.is_closed():
            await block.rollback()
    except LOST_CONNECTION:
        with contextlib.suppress(asyncpg.InterfaceError):
            conn.terminate()
