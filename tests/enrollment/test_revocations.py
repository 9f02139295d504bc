"""Caches of principals hear at once which tokens they must forget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loyalty.enrollment.v1 import enrollment_pb2 as pb
from redis.asyncio import Redis

from services.chassis.clock import SystemClock
from services.chassis.runner import open_redis
from services.chassis.signing import token_digest
from tests.enrollment.house import House, key, new_email, new_phone, refusal


@asynccontextmanager
async def heard(redis: Redis) -> AsyncIterator[set[str]]:
    """The digests that are announced meanwhile."""
    digests: set[str] = set()
    async with redis.pubsub() as subscription:
        await subscription.subscribe("revoked")

        async def listen() -> None:
            async for message in subscription.listen():
                if message["type"] == "message":
                    digests.add(message["data"].decode())

        task = asyncio.create_task(listen())
        yield digests
        task.cancel()


async def _holds(digests: set[str], token: str) -> None:
    async with asyncio.timeout(5):
        while token_digest(token).hex() not in digests:
            await asyncio.sleep(0.01)


async def test_every_ended_token_is_announced(house: House) -> None:
    made = await house.chain()
    email = new_email("bob")
    bob = await house.staff(made.chain.id, email=email)
    signed_out = (await house.sign_in(email)).session_token
    switched_off = (await house.sign_in(email)).session_token
    member = await house.enroll(made.chain.id, start_session=True)
    tablet = (
        await house.call.CreateTablet(
            pb.CreateTabletRequest(
                idempotency_key=key(),
                chain_id=made.chain.id,
                salon_id=made.salon.id,
                program_id=key(),
            )
        )
    ).tablet
    async with heard(house.redis) as digests:
        await house.call.SignOut(pb.SignOutRequest(token=signed_out))
        await _holds(digests, signed_out)
        await house.call.SignOut(pb.SignOutRequest(token=member.session_token))
        await _holds(digests, member.session_token)
        await house.call.SetStaffActive(
            pb.SetStaffActiveRequest(chain_id=made.chain.id, staff_id=bob.id, active=False)
        )
        await _holds(digests, switched_off)
        rotated = await house.call.RotateTablet(
            pb.RotateTabletRequest(chain_id=made.chain.id, tablet_id=tablet.id)
        )
        await _holds(digests, tablet.link_token)
        await house.call.RevokeTablet(
            pb.RevokeTabletRequest(chain_id=made.chain.id, tablet_id=tablet.id)
        )
        await _holds(digests, rotated.tablet.link_token)
        await house.call.RevokeApiKey(
            pb.RevokeApiKeyRequest(chain_id=made.chain.id, api_key_id=made.api_key.id)
        )
        await _holds(digests, made.api_key_token)


async def test_a_session_that_becomes_verified_is_announced_and_so_are_those_that_end(
    house: House,
) -> None:
    """D34: a cache must not go on saying that she has proven nothing."""
    made = await house.chain()
    phone = new_phone()
    joined = await house.enroll(made.chain.id, phone=phone, start_session=True)
    asked = await house.call.RequestCode(pb.RequestCodeRequest(chain_id=made.chain.id, phone=phone))
    code = await house.code(made.chain.id, asked.challenge_id)
    # A second unproven session of hers, from before.
    other = "mm_another-unproven-session"
    await house.pool.execute(
        """
        INSERT INTO member_session (chain_id, id, member_id, token_digest, verified, created_at,
                                    last_seen_at, expires_at)
        SELECT chain_id, gen_random_uuid(), member_id, $2, false, created_at, last_seen_at,
               expires_at
        FROM member_session WHERE chain_id = $1
        """,
        made.chain.id,
        token_digest(other),
    )
    await house.who(other)
    async with heard(house.redis) as digests:
        await house.call.VerifyCode(
            pb.VerifyCodeRequest(
                chain_id=made.chain.id,
                challenge_id=asked.challenge_id,
                code=code,
                session_token=joined.session_token,
            )
        )
        await _holds(digests, joined.session_token)
        await _holds(digests, other)
    assert (await refusal(house.who(other))).code == "session_superseded"
    assert (await house.who(joined.session_token)).verified


async def test_sessions_end_also_while_redis_is_away(house: House) -> None:
    made = await house.chain()
    session = (await house.sign_in(made.owner.email)).session_token
    away = open_redis("redis://127.0.0.1:1/0")
    alone = House(pool=house.pool, redis=away, clock=SystemClock())
    await alone.open()
    try:
        await alone.call.SignOut(pb.SignOutRequest(token=session))
    finally:
        await alone.close()
        await away.aclose()
    listed = await house.pool.fetchval(
        "SELECT ended_at IS NOT NULL FROM staff_session WHERE token_digest = $1",
        token_digest(session),
    )
    assert listed is True
