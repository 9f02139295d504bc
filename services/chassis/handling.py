"""What a consumer group does with its events: one after the other, or many in one go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from services.chassis import context
from services.chassis.events import Event
from services.chassis.postgres import Connection

Handler: TypeAlias = Callable[[Connection, Event], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """Handles all new events of these types that have come, in one go.

    `apply` gets at least one event, and those of one key in their order. It runs in the
    transaction of the inbox and does all of it or raises: then the events come again one at a
    time, so that the one at fault is found and the others take effect.
    """

    types: frozenset[str]
    apply: Callable[[Connection, Sequence[Event]], Awaitable[None]]


def one_by_one(handlers: Mapping[str, Handler]) -> Together:
    """A handler for each type, called for each event with its own context."""

    async def apply(conn: Connection, events: Sequence[Event]) -> None:
        for event in events:
            with context.bind(
                request_id=event.request_id or context.new_request_id(),
                chain_id=str(event.chain_id),
                event_id=str(event.id),
            ):
                await handlers[event.type](conn, event)

    return Together(types=frozenset(handlers), apply=apply)
