"""One request, one effect: keys claimed and answers stored inside the effect's own transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from services.chassis.errors import InvariantViolated, KeyReused
from services.chassis.postgres import Connection

# What clients may send as a key. Longer ones are refused at the door, not cut.
KEY_LENGTH_MAX = 255

_CLAIM = """
INSERT INTO idempotency (chain_id, operation, key, fingerprint, answer)
SELECT chain_id, operation, key, fingerprint, answer
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::bytea[])
     AS claim (chain_id, operation, key, fingerprint, answer)
ORDER BY chain_id, operation, key
ON CONFLICT DO NOTHING
RETURNING chain_id, operation, key
"""

_READ = """
SELECT chain_id, operation, key, kept.fingerprint, kept.answer
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS asked (chain_id, operation, key)
JOIN idempotency AS kept USING (chain_id, operation, key)
"""

_STORE = """
UPDATE idempotency AS kept
SET answer = given.answer
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[])
     AS given (chain_id, operation, key, answer)
WHERE kept.chain_id = given.chain_id
  AND kept.operation = given.operation
  AND kept.key = given.key
"""

_RELEASE = """
DELETE FROM idempotency AS kept
USING unnest($1::uuid[], $2::text[], $3::text[]) AS given (chain_id, operation, key)
WHERE kept.chain_id = given.chain_id
  AND kept.operation = given.operation
  AND kept.key = given.key
"""

_Name: TypeAlias = tuple[UUID, str, str]
_Kept: TypeAlias = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A request by its key, with a fingerprint of what it asks.

    `answer` is what it will be told if all goes as expected: kept with the claim, it need not be
    stored afterwards.
    """

    chain_id: UUID
    operation: str
    key: str
    fingerprint: bytes
    answer: bytes | None = None

    @property
    def name(self) -> _Name:
        """What makes two requests the same one."""
        return (self.chain_id, self.operation, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """Nobody has asked this before: do it, then store its answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """It was done before; this is the answer that it got."""

    answer: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reused:
    """The key was used before for another request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The same request stands earlier in the same batch, at place `first`: answer both alike."""

    first: int


ClaimResult: TypeAlias = New | Replay | Reused | Twin

_NEW = New()
_REUSED = Reused()


def fingerprint(message: bytes) -> bytes:
    """What identifies a request's body; give it the bytes of everything that the request means."""
    return hashlib.sha256(message).digest()


def _columns(claims: Sequence[Claim]) -> tuple[list[UUID], list[str], list[str]]:
    return (
        [claim.chain_id for claim in claims],
        [claim.operation for claim in claims],
        [claim.key for claim in claims],
    )


async def claim_many(conn: Connection, claims: Sequence[Claim]) -> list[ClaimResult]:
    """Claim every key of a batch, results in the batch's order.

    Locks the new keys, in key order; a twin in flight in another transaction makes this one wait
    until that one has ended. One statement when all keys are new, two when some were seen before.
    """
    firsts: dict[_Name, int] = {}
    for place, claim in enumerate(claims):
        firsts.setdefault(claim.name, place)
    distinct = [claims[place] for place in firsts.values()]
    rows = await conn.fetch(
        _CLAIM,
        *_columns(distinct),
        [claim.fingerprint for claim in distinct],
        [claim.answer for claim in distinct],
    )
    kept: dict[_Name, _Kept] = {}
    if len(rows) < len(distinct):
        claimed = {(row["chain_id"], row["operation"], row["key"]) for row in rows}
        kept = await _read(conn, [claim for claim in distinct if claim.name not in claimed])
    results: list[ClaimResult] = []
    for place, claim in enumerate(claims):
        first = firsts[claim.name]
        seen = kept.get(claim.name) or (claims[first].fingerprint, None)
        if claim.fingerprint != seen[0]:
            results.append(_REUSED)
        elif seen[1] is not None:
            results.append(Replay(answer=seen[1]))
        else:
            results.append(_NEW if first == place else Twin(first=first))
    return results


async def _read(conn: Connection, claims: Sequence[Claim]) -> dict[_Name, _Kept]:
    """Fingerprint and answer of keys that were there before us."""
    rows = await conn.fetch(_READ, *_columns(claims))
    kept = {
        (row["chain_id"], row["operation"], row["key"]): (row["fingerprint"], row["answer"])
        for row in rows
    }
    for claim in claims:
        if claim.name not in kept:
            raise InvariantViolated("an idempotency key went away while it was claimed")
        if kept[claim.name][1] is None:
            raise InvariantViolated(f"{claim.operation} kept a key without its answer")
    return kept


async def store_answers(conn: Connection, answers: Sequence[tuple[Claim, bytes]]) -> None:
    """Keep the answers of claimed keys, for resends; one statement for the batch."""
    if not answers:
        return
    claims = [claim for claim, _ in answers]
    await conn.execute(_STORE, *_columns(claims), [answer for _, answer in answers])


async def release(conn: Connection, claims: Sequence[Claim]) -> None:
    """Give back keys that were claimed in this transaction and whose request was refused.

    Only a batch needs it: alone, a refusal rolls its transaction back.
    """
    if claims:
        await conn.execute(_RELEASE, *_columns(claims))


async def once(conn: Connection, claim: Claim, work: Callable[[], Awaitable[bytes]]) -> bytes:
    """Do `work` once for this key and return its answer, the first one on every resend.

    A refusal raised by `work` rolls the transaction back and leaves no key.
    Raises `KeyReused` when the key was used for another request.
    """
    (result,) = await claim_many(conn, [claim])
    if isinstance(result, Replay):
        return result.answer
    if not isinstance(result, New):
        raise KeyReused
    answer = await work()
    await store_answers(conn, [(claim, answer)])
    return answer
