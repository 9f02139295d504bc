"""A program that changed: who has not heard of it, and that nothing is sent by itself (SQ-51)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from google.protobuf.message import Message
from loyalty.events.v1 import points_events_pb2, rewards_events_pb2
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.chassis.events import Event, Impossible
from services.chassis.handling import one_by_one
from services.chassis.postgres import in_transaction
from services.messaging import consumers, rpc
from services.messaging.domain.chain import ChainId
from tests.messaging.conftest import MessagingHarness
from tests.messaging.wire import serving

Door = messaging_pb2_grpc.MessagingServiceStub
BOB, DORA, TABLET = (str(uuid4()) for _ in range(3))
EARNING, EXPIRY = types_pb2.PROGRAM_SECTION_EARNING, types_pb2.PROGRAM_SECTION_EXPIRY
CODES, REWARDS = types_pb2.PROGRAM_SECTION_CODES, types_pb2.PROGRAM_SECTION_REWARDS


@pytest.fixture
async def door(messaging: MessagingHarness) -> AsyncIterator[Door]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


@pytest.fixture
async def chain_id(messaging: MessagingHarness) -> ChainId:
    """A chain of which Alice is a member."""
    made = await messaging.chain()
    await messaging.enroll(made)
    await messaging.drain()
    return made


async def tell(
    messaging: MessagingHarness, chain_id: UUID, fact: Message, *, event_id: UUID | None = None
) -> None:
    """One event arrives, as the consumer hands it over."""
    of_points = isinstance(fact, points_events_pb2.ProgramChanged)
    kind = "program.changed" if of_points else "definition.changed"
    event = Event(
        id=event_id or uuid4(),
        type=kind,
        source="points" if of_points else "rewards",
        subject="",
        chain_id=chain_id,
        time=messaging.deps.clock.now(chain_id),
        topic=consumers.POINTS if of_points else consumers.REWARDS,
        partition=0,
        offset=0,
        key="",
        payload=fact.SerializeToString(),
        request_id="",
    )
    work = (
        consumers.standings(messaging.deps)
        if of_points
        else one_by_one(consumers.reward_handlers())
    )
    await in_transaction(messaging.pool, lambda conn: work.apply(conn, [event]))


async def change(
    messaging: MessagingHarness,
    chain_id: UUID,
    *sections: types_pb2.ProgramSection.ValueType,
    program_id: str,
    by: str = BOB,
    event_id: UUID | None = None,
) -> None:
    fact = points_events_pb2.ProgramChanged(
        chain_id=str(chain_id),
        program_id=program_id,
        changed=sections,
        actor=types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id=by),
    )
    await tell(messaging, chain_id, fact, event_id=event_id)


async def unread(door: Door, chain_id: UUID, reader_id: str = "") -> list[tuple[str, list[int]]]:
    asked = pb.ListProgramNoticesRequest(chain_id=str(chain_id), reader_id=reader_id)
    answer = await door.ListProgramNotices(asked)
    return [(one.program_id, list(one.sections)) for one in answer.notices]


async def read(door: Door, chain_id: UUID, program_id: str, **words: Any) -> None:
    await door.ReadProgramNotice(
        pb.ReadProgramNoticeRequest(chain_id=str(chain_id), program_id=program_id, **words)
    )


async def test_sq_51_staff_see_a_change_until_each_has_read_it(
    messaging: MessagingHarness, door: Door, chain_id: ChainId
) -> None:
    """SQ-51: Bob changed it and knows; Dora and the tablet read it one by one, and once."""
    program = str(uuid4())
    await change(messaging, chain_id, EARNING, EXPIRY, program_id=program)

    assert await unread(door, chain_id, BOB) == []
    assert await unread(door, chain_id, DORA) == [(program, [EARNING, EXPIRY])]
    await read(door, chain_id, program, reader_id=DORA)
    await read(door, chain_id, program, reader_id=DORA)
    assert await unread(door, chain_id, DORA) == []
    assert await unread(door, chain_id, TABLET) == [(program, [EARNING, EXPIRY])]

    await change(messaging, chain_id, CODES, program_id=program)
    assert await unread(door, chain_id, DORA) == [(program, [CODES])]


async def test_sq_51_what_was_changed_after_the_page_was_shown_stays_unread(
    messaging: MessagingHarness, door: Door, chain_id: ChainId
) -> None:
    program = str(uuid4())
    await change(messaging, chain_id, EARNING, program_id=program)
    asked = pb.ListProgramNoticesRequest(chain_id=str(chain_id), reader_id=DORA)
    shown = (await door.ListProgramNotices(asked)).notices[0]
    await change(messaging, chain_id, EXPIRY, program_id=program)

    await read(door, chain_id, program, reader_id=DORA, up_to=shown.up_to)
    assert await unread(door, chain_id, DORA) == [(program, [EXPIRY])]
    # A page that is older than what she has read takes nothing back.
    await read(door, chain_id, program, reader_id=DORA)
    await read(door, chain_id, program, reader_id=DORA, up_to=shown.up_to)
    assert await unread(door, chain_id, DORA) == []


async def test_sq_51_members_are_told_by_nobody_but_their_owner(
    messaging: MessagingHarness, door: Door, chain_id: ChainId
) -> None:
    """SQ-31, SQ-51: a proposal, no message; what concerns staff alone is not proposed."""
    program, other = str(uuid4()), str(uuid4())
    before = await messaging.entries(chain_id)
    await change(messaging, chain_id, EARNING, CODES, program_id=program)
    await change(messaging, chain_id, types_pb2.PROGRAM_SECTION_REFUNDS, program_id=other)
    await messaging.drain()

    assert await messaging.entries(chain_id) == before
    assert await unread(door, chain_id) == [(program, [EARNING])]
    await read(door, chain_id, program)
    assert await unread(door, chain_id) == []
    assert len(await unread(door, chain_id, DORA)) == 2


async def test_sq_51_what_points_buy_is_part_of_the_program(
    messaging: MessagingHarness, door: Door, chain_id: ChainId
) -> None:
    """The same event five times is one change."""
    program, event_id = str(uuid4()), uuid4()
    fact = rewards_events_pb2.DefinitionChanged(chain_id=str(chain_id), program_id=program)
    for _ in range(5):
        await tell(messaging, chain_id, fact, event_id=event_id)

    assert await unread(door, chain_id) == [(program, [REWARDS])]
    assert await messaging.pool.fetchval("SELECT count(*) FROM program_change") == 1


async def test_a_program_is_made_and_not_changed_while_nobody_has_joined(
    messaging: MessagingHarness, door: Door
) -> None:
    chain_id, program = await messaging.chain(), str(uuid4())
    await change(messaging, chain_id, EARNING, program_id=program)
    await messaging.enroll(chain_id)
    # Of a program that was just made, nothing is another than before.
    await change(messaging, chain_id, program_id=str(uuid4()))

    assert await unread(door, chain_id) == []
    assert await unread(door, chain_id, DORA) == []


async def test_old_changes_are_no_news(
    messaging: MessagingHarness, door: Door, chain_id: ChainId
) -> None:
    program = str(uuid4())
    await change(messaging, chain_id, EARNING, program_id=program)
    messaging.clock.set(messaging.clock.now() + timedelta(days=15))
    assert await unread(door, chain_id, DORA) == []
    assert await unread(door, chain_id) == [(program, [EARNING])]
    messaging.clock.set(messaging.clock.now() + timedelta(days=16))
    assert await unread(door, chain_id) == []


async def test_charlies_chain_hears_nothing_and_marks_nothing(
    messaging: MessagingHarness, door: Door, chain_id: ChainId
) -> None:
    program, charlies = str(uuid4()), await messaging.chain()
    await change(messaging, chain_id, EARNING, program_id=program)

    assert await unread(door, charlies, DORA) == []
    await read(door, charlies, program, reader_id=DORA)
    assert await unread(door, chain_id, DORA) == [(program, [EARNING])]
    foreign = rewards_events_pb2.DefinitionChanged(chain_id=str(charlies), program_id=program)
    with pytest.raises(Impossible):
        await tell(messaging, chain_id, foreign)


@pytest.mark.parametrize("words", [{"reader_id": "x" * 65}, {"reader_id": "a\nb"}])
async def test_a_reader_has_a_possible_id(door: Door, words: dict[str, Any]) -> None:
    with pytest.raises(RemoteRefusal) as refused:
        await door.ListProgramNotices(pb.ListProgramNoticesRequest(chain_id=str(uuid4()), **words))
    assert refused.value.code == "id_invalid"
