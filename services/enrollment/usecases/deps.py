"""What every use case stands on, and the few steps that they share."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis import idempotency, signing
from services.chassis.clock import BusinessClock
from services.chassis.limits import Limiter
from services.chassis.postgres import ACQUIRE_TIMEOUT_SECONDS, Connection, Pool
from services.chassis.proofs import AddressProofs
from services.enrollment import metrics
from services.enrollment.domain.errors import IdempotencyKeyInvalid
from services.enrollment.events import CODE_PURPOSE
from services.enrollment.passwords import Passwords

log = structlog.get_logger(__name__)

# Caches of principals listen here and drop the token whose digest they hear.
REVOKED_CHANNEL = "revoked"
ANNOUNCE_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Keys derived from the one secret, each for one purpose."""

    answers: signing.Sealer
    links: signing.Sealer
    cursors: signing.Sealer
    codes_sent: signing.Sealer
    codes_stored: bytes
    fingerprints: bytes
    addresses: bytes
    proofs: AddressProofs


def derive_keys(secret: str) -> Keys:
    """All keys of this service from the platform's secret."""
    return Keys(
        answers=signing.Sealer(secret, "enrollment-answer"),
        links=signing.Sealer(secret, "tablet-link"),
        cursors=signing.Sealer(secret, "member-cursor"),
        codes_sent=signing.Sealer(secret, CODE_PURPOSE),
        codes_stored=signing.derive_key(secret, "one-time-code-digest"),
        fingerprints=signing.derive_key(secret, "enrollment-fingerprint"),
        addresses=signing.derive_key(secret, "address-digest"),
        proofs=AddressProofs(secret),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What every use case stands on."""

    pool: Pool
    redis: Redis
    clock: BusinessClock
    limiter: Limiter
    passwords: Passwords
    keys: Keys


def make_deps(*, pool: Pool, redis: Redis, clock: BusinessClock, secret: str) -> Deps:
    """Everything that use cases need, from what a process has."""
    return Deps(
        pool=pool,
        redis=redis,
        clock=clock,
        limiter=Limiter(redis),
        passwords=Passwords(),
        keys=derive_keys(secret),
    )


def reading(deps: Deps) -> AbstractAsyncContextManager[Connection]:
    """A connection for a question that changes nothing."""
    return deps.pool.acquire(timeout=ACQUIRE_TIMEOUT_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What makes a request the same one when it comes again: its key, and all that it asks."""

    key: str
    body: bytes


async def once(
    deps: Deps,
    conn: Connection,
    *,
    chain_id: UUID,
    operation: str,
    request: Request,
    work: Callable[[], Awaitable[bytes]],
) -> bytes:
    """Do `work` once for this key; a resend gets the first answer again.

    Answers are kept sealed, for they hold secrets and people. The fingerprint is keyed: a plain
    one would let a stolen table be searched for passwords and phones.
    Refuses with `IdempotencyKeyInvalid`, and raises `KeyReused` for another request.
    """
    if not 0 < len(request.key) <= idempotency.KEY_LENGTH_MAX or not request.key.isprintable():
        raise IdempotencyKeyInvalid(
            field="idempotency_key", params={"max": str(idempotency.KEY_LENGTH_MAX)}
        )
    claim = idempotency.Claim(
        chain_id=chain_id,
        operation=operation,
        key=request.key,
        fingerprint=hmac.digest(deps.keys.fingerprints, request.body, hashlib.sha256),
    )

    async def sealed_work() -> bytes:
        return deps.keys.answers.seal(await work())

    return deps.keys.answers.open(await idempotency.once(conn, claim, sealed_work))


async def announce_revoked(deps: Deps, digests: Sequence[bytes]) -> None:
    """Tell every cache of principals to forget these tokens, after the change is committed.

    Best effort: caches forget by themselves within seconds.
    """
    try:
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_SECONDS):
            for digest in digests:
                await deps.redis.publish(REVOKED_CHANNEL, digest.hex())
    except (RedisError, OSError) as error:
        metrics.REVOCATIONS_UNHEARD_TOTAL.inc()
        log.warning("revocation_not_announced", fault=type(error).__name__)


def address_digest(deps: Deps, address: str) -> str:
    """A name for an address in limits: always the same, and telling nothing of the address."""
    return hmac.digest(deps.keys.addresses, address.encode(), hashlib.sha256)[:16].hex()
