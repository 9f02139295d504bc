"""Tablets and API keys: what speaks for a salon without a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.clock import FixedClock
from tests.enrollment.conftest import Neighbours
from tests.enrollment.house import House, key, refusal

OWNER = types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="the-owner")


async def _tablet(house: House, made: pb.CreateChainResponse, program_id: str) -> pb.Tablet:
    request = pb.CreateTabletRequest(
        idempotency_key=key(),
        chain_id=made.chain.id,
        salon_id=made.salon.id,
        program_id=program_id,
        name="Comptoir",
        actor=OWNER,
    )
    first = (await house.call.CreateTablet(request)).tablet
    assert (await house.call.CreateTablet(request)).tablet == first
    return first


async def _key(house: House, chain_id: str, **fields: object) -> pb.CreateApiKeyResponse:
    given: dict[str, object] = {"name": "Caisse", "scopes": ["LOYALTY_READ"], **fields}
    request = pb.CreateApiKeyRequest(idempotency_key=key(), chain_id=chain_id, actor=OWNER)
    for name, value in given.items():
        if isinstance(value, list):
            getattr(request, name).extend(value)
        else:
            setattr(request, name, value)
    return await house.call.CreateApiKey(request)


async def test_an_owner_reads_the_tablet_url_back_and_it_speaks_for_its_salon(
    house: House,
) -> None:
    """LS-09."""
    made = await house.chain()
    program_id = key()
    tablet = await _tablet(house, made, program_id)
    listed = await house.call.ListTablets(pb.ListTabletsRequest(chain_id=made.chain.id))
    assert list(listed.tablets) == [tablet]
    principal = await house.who(listed.tablets[0].link_token)
    assert principal.actor == types_pb2.Actor(kind=types_pb2.Actor.KIND_DEVICE, id=tablet.id)
    assert (list(principal.salon_ids), principal.program_id) == ([made.salon.id], program_id)
    assert (principal.chain_id, principal.session_id) == (made.chain.id, tablet.id)


async def test_a_rotated_link_kills_the_old_one_at_once(house: House) -> None:
    """LS-09."""
    made = await house.chain()
    tablet = await _tablet(house, made, key())
    fresh = (
        await house.call.RotateTablet(
            pb.RotateTabletRequest(chain_id=made.chain.id, tablet_id=tablet.id, actor=OWNER)
        )
    ).tablet
    assert fresh.link_token != tablet.link_token
    await house.who(fresh.link_token)
    assert (await refusal(house.who(tablet.link_token))).code == "unauthenticated"
    assert ("tablet.rotated", "staff:the-owner", tablet.id) in await house.audit(made.chain.id)


async def test_a_revoked_tablet_has_no_link_any_more(house: House) -> None:
    made = await house.chain()
    tablet = await _tablet(house, made, key())
    request = pb.RevokeTabletRequest(chain_id=made.chain.id, tablet_id=tablet.id, actor=OWNER)
    for _ in range(2):
        await house.call.RevokeTablet(request)
    assert (await refusal(house.who(tablet.link_token))).code == "unauthenticated"
    (listed,) = (
        await house.call.ListTablets(pb.ListTabletsRequest(chain_id=made.chain.id))
    ).tablets
    assert (listed.active, listed.link_token) == (False, "")
    rotated = await refusal(
        house.call.RotateTablet(pb.RotateTabletRequest(chain_id=made.chain.id, tablet_id=tablet.id))
    )
    assert rotated.code == "not_found"


async def test_no_table_holds_a_token_in_clear(house: House) -> None:
    made = await house.chain()
    tablet = await _tablet(house, made, key())
    minted = await _key(house, made.chain.id)
    session = await house.sign_in(made.owner.email)
    member = await house.enroll(made.chain.id, start_session=True)
    tokens = [
        tablet.link_token,
        minted.token,
        made.api_key_token,
        session.session_token,
        member.session_token,
    ]
    tables = await house.pool.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for row in tables:
        if row["tablename"] == "schema_migration":
            continue
        text = str(await house.pool.fetch(f'SELECT * FROM "{row["tablename"]}"'))
        for token in tokens:
            assert token not in text, row["tablename"]


async def test_a_key_is_shown_once_and_listed_without_its_secret(house: House) -> None:
    made = await house.chain()
    minted = await _key(
        house,
        made.chain.id,
        scopes=["LOYALTY_WRITE", "LOYALTY_READ", "LOYALTY_READ"],
        salon_ids=[made.salon.id],
    )
    assert minted.token.startswith("mk_live_")
    assert list(minted.api_key.scopes) == ["LOYALTY_READ", "LOYALTY_WRITE"]
    principal = await house.who(minted.token)
    assert principal.actor.kind == types_pb2.Actor.KIND_API_KEY
    assert list(principal.salon_ids) == [made.salon.id]
    assert list(principal.scopes) == ["LOYALTY_READ", "LOYALTY_WRITE"]
    listed = await house.call.ListApiKeys(pb.ListApiKeysRequest(chain_id=made.chain.id))
    assert minted.token not in str(listed)
    assert minted.token.startswith(listed.api_keys[0].hint)
    assert len(listed.api_keys[0].hint) < 24


async def test_two_keys_live_side_by_side_until_one_is_revoked(house: House) -> None:
    made = await house.chain()
    second = await _key(house, made.chain.id)
    await house.who(made.api_key_token)
    await house.who(second.token)
    request = pb.RevokeApiKeyRequest(
        chain_id=made.chain.id, api_key_id=made.api_key.id, actor=OWNER
    )
    for _ in range(2):
        await house.call.RevokeApiKey(request)
    assert (await refusal(house.who(made.api_key_token))).code == "unauthenticated"
    await house.who(second.token)
    trail = await house.audit(made.chain.id)
    assert trail.count(("api_key.revoked", "staff:the-owner", made.api_key.id)) == 1
    assert ("api_key.created", "staff:the-owner", second.api_key.id) in trail


async def test_the_last_use_of_a_key_is_written_at_most_once_a_minute(
    timed: House, clock: FixedClock
) -> None:
    made = await timed.chain()

    async def last_used() -> object:
        listed = await timed.call.ListApiKeys(pb.ListApiKeysRequest(chain_id=made.chain.id))
        (shown,) = listed.api_keys
        return shown.last_used_at.ToMicroseconds() if shown.HasField("last_used_at") else None

    assert await last_used() is None
    await timed.who(made.api_key_token)
    first = await last_used()
    assert first is not None
    clock.advance(timedelta(seconds=59))
    await timed.who(made.api_key_token)
    assert await last_used() == first
    clock.advance(timedelta(seconds=2))
    await timed.who(made.api_key_token)
    assert await last_used() != first


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"scopes": []}, "scopes_invalid"),
        ({"scopes": ["EVERYTHING"]}, "scopes_invalid"),
        ({"name": ""}, "name_invalid"),
        ({"salon_ids": ["nowhere"]}, "not_found"),
        ({"salon_ids": ["00000000-0000-0000-0000-000000000000"]}, "not_found"),
    ],
)
async def test_a_key_needs_name_scopes_and_salons_of_its_chain(
    house: House, fields: dict[str, object], code: str
) -> None:
    made = await house.chain()
    assert (await refusal(_key(house, made.chain.id, **fields))).code == code


async def test_charlie_sees_and_touches_no_device_of_alices_chain(
    house: House, neighbours: Neighbours
) -> None:
    """LS-09: another chain's tablet never shows this chain's clients."""
    a, b = neighbours.a, neighbours.b
    tablet = await _tablet(house, a, key())
    assert not (await house.call.ListTablets(pb.ListTabletsRequest(chain_id=b.chain.id))).tablets
    keys = await house.call.ListApiKeys(pb.ListApiKeysRequest(chain_id=b.chain.id))
    assert [it.id for it in keys.api_keys] == [b.api_key.id]
    for call in (
        house.call.RotateTablet(pb.RotateTabletRequest(chain_id=b.chain.id, tablet_id=tablet.id)),
        house.call.RevokeTablet(pb.RevokeTabletRequest(chain_id=b.chain.id, tablet_id=tablet.id)),
        house.call.RevokeApiKey(
            pb.RevokeApiKeyRequest(chain_id=b.chain.id, api_key_id=a.api_key.id)
        ),
        house.call.CreateTablet(
            pb.CreateTabletRequest(
                idempotency_key=key(),
                chain_id=b.chain.id,
                salon_id=a.salon.id,
                program_id=key(),
            )
        ),
        _key(house, b.chain.id, salon_ids=[a.salon.id]),
    ):
        assert (await refusal(call)).code == "not_found"
    await house.who(tablet.link_token)
    await house.who(a.api_key_token)
