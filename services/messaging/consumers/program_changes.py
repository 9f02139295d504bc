"""Changes of programs and of what points buy, from points and rewards (SQ-51)."""

from __future__ import annotations

from uuid import UUID

from google.protobuf.message import DecodeError
from loyalty.events.v1 import points_events_pb2, rewards_events_pb2
from loyalty.types.v1 import types_pb2

from services.chassis.events import Event, Impossible
from services.messaging.domain.chain import ChainId
from services.messaging.domain.program_change import ProgramChange, Section
from services.messaging.domain.standing import ProgramId

Fact = points_events_pb2.ProgramChanged | rewards_events_pb2.DefinitionChanged


def program_change(event: Event) -> ProgramChange:
    """What `program.changed` of points says."""
    fact = points_events_pb2.ProgramChanged()
    _parse(event, fact)
    return _change(event, fact, _sections(fact))


def definition_change(event: Event) -> ProgramChange:
    """What `definition.changed` of rewards says: other things are to be had for points."""
    fact = rewards_events_pb2.DefinitionChanged()
    _parse(event, fact)
    return _change(event, fact, (Section.REWARDS,))


def _parse(event: Event, fact: Fact) -> None:
    try:
        fact.ParseFromString(event.payload)
    except DecodeError:
        raise Impossible(f"{event.type}: the payload is no such fact") from None


def _sections(fact: points_events_pb2.ProgramChanged) -> tuple[Section, ...]:
    """A section that a newer points service knows and we do not is left out."""
    known = {types_pb2.ProgramSection.Value(f"PROGRAM_SECTION_{one.value}"): one for one in Section}
    return tuple(known[one] for one in fact.changed if one in known)


def _change(event: Event, fact: Fact, sections: tuple[Section, ...]) -> ProgramChange:
    try:
        if UUID(fact.chain_id) != event.chain_id:
            raise Impossible(f"{event.type}: it speaks of another chain than its header")
        program_id = ProgramId(UUID(fact.program_id))
    except ValueError:
        raise Impossible(f"{event.type}: an id has the wrong form") from None
    return ProgramChange(
        chain_id=ChainId(event.chain_id),
        program_id=program_id,
        event_id=event.id,
        sections=sections,
        changed_by=fact.actor.id,
        changed_at=event.time,
    )
