"""One request, one effect, one answer."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest

from services.chassis import idempotency
from services.chassis.errors import KeyReused
from services.chassis.idempotency import Claim, New, Replay, Reused, Twin
from services.chassis.postgres import Connection, Pool, in_transaction, transaction


def claim(chain: UUID, key: str, *, body: bytes = b"body") -> Claim:
    return Claim(
        chain_id=chain,
        operation="earn",
        key=key,
        fingerprint=idempotency.fingerprint(body),
    )


async def test_a_replayed_request_gets_the_first_answer(pool: Pool, chain: UUID) -> None:
    effects = 0

    async def work() -> bytes:
        nonlocal effects
        effects += 1
        return b"answer %d" % effects

    async def ask(conn: Connection) -> bytes:
        return await idempotency.once(conn, claim(chain, "k"), work)

    first = await in_transaction(pool, ask)
    replay = await in_transaction(pool, ask)

    assert first == replay == b"answer 1"
    assert effects == 1


async def test_a_key_with_another_body_is_refused(pool: Pool, chain: UUID) -> None:
    async def work() -> bytes:
        return b"done"

    async with transaction(pool) as conn:
        await idempotency.once(conn, claim(chain, "k"), work)

    with pytest.raises(KeyReused) as refused:
        async with transaction(pool) as conn:
            await idempotency.once(conn, claim(chain, "k", body=b"other"), work)
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


async def test_keys_of_two_chains_and_two_operations_do_not_meet(pool: Pool, chain: UUID) -> None:
    other_operation = Claim(
        chain_id=chain, operation="take", key="k", fingerprint=idempotency.fingerprint(b"x")
    )
    async with transaction(pool) as conn:
        results = await idempotency.claim_many(
            conn, [claim(chain, "k"), claim(uuid4(), "k"), other_operation]
        )
    assert results == [New(), New(), New()]


async def test_a_refusal_leaves_no_key(pool: Pool, chain: UUID) -> None:
    class Refused(Exception):
        pass

    async def refuse() -> bytes:
        raise Refused

    async def succeed() -> bytes:
        return b"second try"

    with pytest.raises(Refused):
        async with transaction(pool) as conn:
            await idempotency.once(conn, claim(chain, "k"), refuse)
    async with transaction(pool) as conn:
        answer = await idempotency.once(conn, claim(chain, "k", body=b"mended"), succeed)

    assert answer == b"second try"


async def test_fifty_twins_in_flight_have_one_effect_and_one_answer(
    pool: Pool, chain: UUID
) -> None:
    effects: list[int] = []

    async def ask(number: int) -> bytes:
        async def work() -> bytes:
            effects.append(number)
            await asyncio.sleep(0.05)
            return f"from {number}".encode()

        async def once(conn: Connection) -> bytes:
            return await idempotency.once(conn, claim(chain, "k"), work)

        return await in_transaction(pool, once)

    answers = await asyncio.gather(*(ask(number) for number in range(50)))

    assert len(effects) == 1
    assert set(answers) == {f"from {effects[0]}".encode()}


async def test_a_twin_of_a_request_that_failed_takes_its_place(pool: Pool, chain: UUID) -> None:
    started = asyncio.Event()

    async def fail() -> bytes:
        started.set()
        await asyncio.sleep(0.1)
        raise ValueError

    async def succeed() -> bytes:
        return b"mine"

    async def first() -> None:
        async with transaction(pool) as conn:
            await idempotency.once(conn, claim(chain, "k"), fail)

    async def second() -> bytes:
        await started.wait()
        async with transaction(pool) as conn:
            return await idempotency.once(conn, claim(chain, "k"), succeed)

    failed, answer = await asyncio.gather(first(), second(), return_exceptions=True)

    assert isinstance(failed, ValueError)
    assert answer == b"mine"


async def test_a_batch_mixes_new_replayed_reused_and_twin_requests(pool: Pool, chain: UUID) -> None:
    async with transaction(pool) as conn:
        old = [claim(chain, "seen"), claim(chain, "taken")]
        await idempotency.claim_many(conn, old)
        await idempotency.store_answers(conn, [(old[0], b"then"), (old[1], b"then too")])

    async with transaction(pool) as conn:
        results = await idempotency.claim_many(
            conn,
            [
                claim(chain, "seen"),
                claim(chain, "new"),
                claim(chain, "taken", body=b"other"),
                claim(chain, "new"),
                claim(chain, "new", body=b"other"),
                claim(chain, "seen"),
                claim(chain, "seen", body=b"other"),
                claim(chain, "taken"),
            ],
        )

    assert results == [
        Replay(answer=b"then"),
        New(),
        Reused(),
        Twin(first=1),
        Reused(),
        Replay(answer=b"then"),
        Reused(),
        Replay(answer=b"then too"),
    ]


async def test_a_released_key_is_free_again(pool: Pool, chain: UUID) -> None:
    """A batch writes what succeeded and gives back the keys of what was refused."""
    good, bad = claim(chain, "good"), claim(chain, "bad")
    async with transaction(pool) as conn:
        await idempotency.claim_many(conn, [good, bad])
        await idempotency.release(conn, [bad])
        await idempotency.store_answers(conn, [(good, b"yes")])

    async with transaction(pool) as conn:
        assert await idempotency.claim_many(conn, [good, bad]) == [Replay(answer=b"yes"), New()]


async def test_overlapping_batches_do_not_lock_each_other_out(pool: Pool, chain: UUID) -> None:
    """Two hundred keys in opposite orders, eight writers: no deadlock, each key claimed once."""
    keys = [f"key-{number}" for number in range(200)]

    async def batch(order: list[str]) -> int:
        claims = [claim(chain, key) for key in order]

        async def work(conn: Connection) -> int:
            results = await idempotency.claim_many(conn, claims)
            mine = [c for c, result in zip(claims, results, strict=True) if isinstance(result, New)]
            await idempotency.store_answers(conn, [(c, b"a") for c in mine])
            return len(mine)

        return await in_transaction(pool, work, attempts_max=1)

    new = await asyncio.gather(*(batch(keys[::-1] if i % 2 else keys) for i in range(8)))

    assert sum(new) == len(keys)
