"""What a chain offers for points."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest
from loyalty.events.v1.rewards_events_pb2 import DefinitionChanged
from loyalty.rewards.v1 import rewards_pb2 as pb

from services.chassis.errors import RemoteRefusal
from services.rewards.storage import offers as copies
from tests.rewards.house import House, dollars, new_id, percent


async def update(house: House, definition_id: str, **changes: object) -> pb.RewardDefinition:
    request = pb.UpdateRewardDefinitionRequest(
        chain_id=house.chain_id,
        definition_id=definition_id,
        actor=house.bob,
        **changes,  # type: ignore[arg-type]
    )
    return (await house.stub.UpdateRewardDefinition(request)).definition


async def delete(house: House, definition_id: str, *, chain: str = "") -> None:
    await house.stub.DeleteRewardDefinition(
        pb.DeleteRewardDefinitionRequest(
            chain_id=chain or house.chain_id, definition_id=definition_id, actor=house.bob
        )
    )


async def test_definitions_are_listed_by_their_cost(house: House) -> None:
    for points in (20, 5, 10):
        await house.define(points)
    assert [definition.points for definition in await house.definitions()] == [5, 10, 20]


@pytest.mark.parametrize(
    "discount", [percent("10"), percent("12.5"), dollars(500), pb.Discount(in_kind=True)]
)
async def test_a_definition_gives_a_percentage_an_amount_or_something_in_kind(
    house: House, discount: pb.Discount
) -> None:
    made = await house.define(discount=discount)
    assert made.discount == discount
    assert (await house.definitions())[0] == made


async def test_the_sixteenth_definition_is_refused_until_one_is_deleted(house: House) -> None:
    """SQ-50, RW6: the 15th is fine, the 16th is not; deleting one makes room."""
    made = [await house.define(points) for points in range(1, 16)]
    with pytest.raises(RemoteRefusal) as refused:
        await house.define(16)
    assert (refused.value.code, refused.value.params) == ("reward_limit", {"limit": "15"})
    assert len(await house.definitions()) == 15

    await delete(house, made[0].id)
    await house.define(16)
    with pytest.raises(RemoteRefusal):
        await house.define(17)


async def test_of_two_parallel_creations_at_fourteen_one_succeeds(house: House) -> None:
    """SQ-50."""
    for points in range(1, 15):
        await house.define(points)
    both = await asyncio.gather(house.define(50), house.define(60), return_exceptions=True)
    refused = [one for one in both if isinstance(one, RemoteRefusal)]
    assert [one.code for one in refused] == ["reward_limit"]
    assert len(await house.definitions()) == 15


async def test_a_refused_creation_leaves_no_key(house: House) -> None:
    """SQ-50: the same request succeeds once there is room."""
    made = [await house.define(points) for points in range(1, 16)]
    with pytest.raises(RemoteRefusal):
        await house.define(16, idempotency_key="sixteenth")
    await delete(house, made[0].id)
    assert (await house.define(16, idempotency_key="sixteenth")).points == 16


async def test_deleting_twice_frees_one_place(house: House) -> None:
    """SQ-50: a repeated deletion does not open a second place."""
    made = [await house.define(points) for points in range(1, 16)]
    await asyncio.gather(*(delete(house, made[0].id) for _ in range(5)))
    await house.define(16)
    with pytest.raises(RemoteRefusal):
        await house.define(17)


async def test_a_repeated_creation_makes_one_definition(house: House) -> None:
    first, again = await asyncio.gather(
        house.define(10, idempotency_key="tap"), house.define(10, idempotency_key="tap")
    )
    assert first == again
    assert len(await house.definitions()) == 1
    with pytest.raises(RemoteRefusal) as refused:
        await house.define(11, idempotency_key="tap")
    assert refused.value.code == "IDEMPOTENCY_KEY_REUSED"


async def test_a_repeated_creation_gets_the_first_answer_after_a_change(house: House) -> None:
    first = await house.define(10, idempotency_key="tap")
    await update(house, first.id, points=99)
    assert await house.define(10, idempotency_key="tap") == first


async def test_a_change_makes_a_new_version_and_keeps_what_it_does_not_name(house: House) -> None:
    made = await house.define(10, discount=percent("10"), description="En salon")
    house.pass_time(minutes=5)
    changed = await update(house, made.id, discount=percent("20"))
    assert (changed.version, changed.discount, changed.points) == (2, percent("20"), 10)
    assert (changed.name, changed.description) == (made.name, "En salon")
    assert changed.updated_at.seconds - made.updated_at.seconds == 300
    assert (await update(house, made.id, discount=percent("20"))).version == 2
    assert (await update(house, made.id, discount=dollars(500))).discount == dollars(500)
    assert (await update(house, made.id, description="")).description == ""


async def test_every_version_is_kept_with_who_made_it(house: House) -> None:
    made = await house.define(10)
    await update(house, made.id, points=12)
    await delete(house, made.id)
    rows = await house.pool.fetch(
        """
        SELECT version, points, actor_id, deleted_at IS NOT NULL AS deleted
        FROM reward_definition_version WHERE chain_id = $1 ORDER BY version
        """,
        UUID(house.chain_id),
    )
    kept = [(row["version"], row["points"], row["deleted"]) for row in rows]
    assert kept == [(1, 10, False), (2, 12, False), (3, 12, True)]
    assert {row["actor_id"] for row in rows} == {house.bob.id}


async def test_history_cannot_be_rewritten_by_the_service(house: House) -> None:
    await house.define(10)
    for table in ("reward_definition_version", "reward_event"):
        for statement in (f"UPDATE {table} SET points = 1", f"DELETE FROM {table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await house.pool.execute(statement)


async def test_a_deleted_definition_is_gone_and_stays_gone(house: House) -> None:
    made = await house.define(10)
    await delete(house, made.id)
    await delete(house, made.id)
    assert await house.definitions() == []
    with pytest.raises(RemoteRefusal) as refused:
        await update(house, made.id, points=5)
    assert refused.value.code == "definition_retired"


async def test_another_chain_neither_sees_nor_changes_them(house: House) -> None:
    """Charlie's chain gets the answer for a definition that does not exist."""
    made = await house.define(10)
    answer = await house.stub.ListRewardDefinitions(
        pb.ListRewardDefinitionsRequest(chain_id=house.charlies_chain)
    )
    assert not answer.definitions
    with pytest.raises(RemoteRefusal) as refused:
        await delete(house, made.id, chain=house.charlies_chain)
    assert refused.value.code == "not_found"
    with pytest.raises(RemoteRefusal) as refused:
        await house.stub.UpdateRewardDefinition(
            pb.UpdateRewardDefinitionRequest(
                chain_id=house.charlies_chain, definition_id=made.id, points=1
            )
        )
    assert refused.value.code == "not_found"
    assert await house.definitions() == [made]


async def test_definitions_can_be_listed_by_program(house: House) -> None:
    other = new_id()
    await house.define(5)
    await house.define(7, program_id=other)
    answer = await house.stub.ListRewardDefinitions(
        pb.ListRewardDefinitionsRequest(chain_id=house.chain_id, program_id=other)
    )
    assert [definition.points for definition in answer.definitions] == [7]


async def test_an_amount_is_in_the_chains_own_currency(house: House) -> None:
    """A foreign currency is refused with the chain's own named."""
    await house.write(
        lambda conn: copies.keep_chain(
            conn,
            chain_id=UUID(house.chain_id),  # type: ignore[arg-type]
            version=1,
            home_zone="America/Toronto",
            currency="CAD",
        )
    )
    assert (await house.define(discount=dollars(500, "CAD"))).discount.amount.amount == 500
    with pytest.raises(RemoteRefusal) as refused:
        await house.define(discount=dollars(500, "EUR"))
    assert refused.value.params == {"currency": "CAD"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"points": 0}, "points"),
        ({"points": -5}, "points"),
        ({"points": 1_000_001}, "points"),
        ({"points": 2**62}, "points"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "a" * 1_000_000}, "name"),
        ({"name": "Soin\x00"}, "name"),
        ({"description": "a" * 2_001}, "description"),
        ({"discount": pb.Discount()}, "discount"),
        ({"discount": percent("0")}, "discount.percentage"),
        ({"discount": percent("101")}, "discount.percentage"),
        ({"discount": percent("1e2")}, "discount.percentage"),
        ({"discount": dollars(0)}, "discount.amount"),
        ({"discount": dollars(-100)}, "discount.amount"),
        ({"discount": dollars(100, "💶")}, "discount.amount.currency"),
        ({"discount": pb.Discount(in_kind=False)}, "discount.in_kind"),
        ({"idempotency_key": ""}, "idempotency_key"),
        ({"idempotency_key": "k" * 256}, "idempotency_key"),
        ({"idempotency_key": "clé"}, "idempotency_key"),
    ],
)
async def test_wrong_terms_are_refused_and_change_nothing(
    house: House, changes: dict[str, object], field: str
) -> None:
    with pytest.raises(RemoteRefusal) as refused:
        await house.define(**{"points": 10, **changes})  # type: ignore[arg-type]
    assert (refused.value.code, refused.value.field) == ("invalid_value", field)
    assert await house.definitions() == []


@pytest.mark.parametrize("points", [1, 1_000_000])
async def test_costs_from_one_to_a_million_points_are_accepted(house: House, points: int) -> None:
    assert (await house.define(points)).points == points


async def test_sq_51_what_is_offered_for_points_is_told_whenever_it_changes(house: House) -> None:
    """SQ-51: made, changed, deleted; terms that are saved again tell nothing."""
    made = await house.define(10)
    await update(house, made.id, points=12)
    await update(house, made.id, points=12)
    await delete(house, made.id)
    rows = await house.deps.pool.fetch(
        "SELECT payload FROM outbox WHERE type = 'definition.changed' AND key = $1 ORDER BY id",
        made.id,
    )
    told = [DefinitionChanged.FromString(row["payload"]) for row in rows]

    assert [(one.version, one.deleted) for one in told] == [(1, False), (2, False), (3, True)]
    assert {one.program_id for one in told} == {made.program_id}
    assert told[1].actor == house.bob
