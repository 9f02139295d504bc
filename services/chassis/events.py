"""An event as it arrives from a topic: headers of CloudEvents' Kafka binding and the payload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.chassis.uuids import uuid_of


class Impossible(Exception):
    """This event can never be applied, with the reason: it goes to the dead letters."""


class Record(Protocol):
    """What the broker's client hands over."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact that another service published. A tombstone's payload is empty."""

    id: UUID
    type: str
    source: str
    subject: str
    chain_id: UUID
    time: datetime
    topic: str
    partition: int
    offset: int
    key: str
    payload: bytes
    request_id: str


def header_texts(record: Record) -> dict[str, str]:
    """A record's headers as text; what is not text is shown as far as it is legible."""
    return {name: value.decode("utf-8", "replace") for name, value in record.headers}


def type_of(record: Record) -> str | None:
    """What a record says that it is, without a look at the rest; None when it says nothing."""
    for name, value in record.headers:
        if name == "ce_type":
            return value.decode("utf-8", "replace")
    return None


def parse(record: Record) -> Event:
    """Read an event from its record; raises `Impossible` when the headers make no event."""
    headers = header_texts(record)
    try:
        event_id, chain_id = uuid_of(headers["ce_id"]), uuid_of(headers["ce_chainid"])
        time = datetime.fromisoformat(headers["ce_time"])
        if time.tzinfo is None:
            raise Impossible("unparseable: ce_time names no offset")
        return Event(
            id=event_id,
            type=headers["ce_type"],
            source=headers.get("ce_source", ""),
            subject=headers.get("ce_subject", ""),
            chain_id=chain_id,
            time=time,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            key=(record.key or b"").decode("utf-8"),
            payload=record.value or b"",
            request_id=headers.get("request_id", ""),
        )
    except KeyError as error:
        raise Impossible(f"unparseable: the header {error.args[0]} is missing") from error
    except ValueError as error:
        raise Impossible("unparseable: a header or the key has the wrong form") from error
