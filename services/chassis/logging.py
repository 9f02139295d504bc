"""Logs: one JSON object a line on standard output, with what the work belongs to, never a person.

Log facts by key (`log.info("reward_taken", reward_id=…)`). Keys that name personal data or secrets
are redacted whatever their value, and free text loses what looks like an address or a phone.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, Processor

from services.chassis.context import CHAIN_ID, EVENT_ID, REQUEST_ID

REDACTED = "[redacted]"

# A key is redacted when one of its words is here …
_DENIED_WORDS = frozenset(
    [
        "phone",
        "phones",
        "email",
        "emails",
        "mail",
        "token",
        "tokens",
        "password",
        "secret",
        "otp",
        "pin",
        "cookie",
        "authorization",
        "birthday",
        "birthdate",
        "credential",
        "credentials",
    ]
)
# … or when the whole key is here, or ends so.
_DENIED_KEYS = frozenset(
    [
        "name",
        "names",
        "code",
        "codes",
        "api_key",
        "address",
        "body",
        "text",
        "to",
        "recipient",
        "first_name",
        "last_name",
        "full_name",
        "given_name",
        "family_name",
        "display_name",
        "member_name",
        "nickname",
        "query_string",
    ]
)
_DENIED_ENDINGS = ("_first_name", "_last_name", "_full_name", "points_code", "point_code")

_MAIL = re.compile(r"[^\s@<>\"'(),;:=]+@[^\s@<>\"'(),;:=]+\.[^\s@<>\"'(),;:=]+")
_PHONE = re.compile(r"(?<![\w.-])\+\d[\d\s().-]{6,18}\d")
# PostgreSQL repeats the offending row in DETAIL; it may hold anything.
_DETAIL = re.compile(r"(DETAIL|CONTEXT):\s*.*")

_FREE_TEXT = ("event", "exception", "error", "reason")


def _denied(key: str) -> bool:
    lowered = key.lower()
    return (
        lowered in _DENIED_KEYS
        or lowered.endswith(_DENIED_ENDINGS)
        or not _DENIED_WORDS.isdisjoint(re.split(r"[_\-.]", lowered))
    )


def scrub(text: str) -> str:
    """Free text without what looks like an e-mail address, a phone number or a database row."""
    return _PHONE.sub(REDACTED, _MAIL.sub(REDACTED, _DETAIL.sub(rf"\1: {REDACTED}", text)))


def _redacted(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: REDACTED if _denied(str(key)) else _redacted(inner) for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(inner) for inner in value]
    return scrub(value) if isinstance(value, str) else value


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Take personal data and secrets out of a log line."""
    for key, value in event.items():
        if key not in _FREE_TEXT and _denied(key):
            event[key] = REDACTED
        elif isinstance(value, str | dict | list | tuple):
            event[key] = _redacted(value)
    return event


def add_context(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Say which request, chain and event the line belongs to."""
    for variable in (REQUEST_ID, CHAIN_ID, EVENT_ID):
        value = variable.get()
        if value:
            event.setdefault(variable.name, value)
    return event


def _json(event: EventDict, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def configure(*, service: str, level: str = "INFO") -> None:
    """Send our lines and those of the libraries to standard output as JSON."""

    def add_service(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    shared: list[Processor] = [
        add_context,
        add_service,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    number = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json)],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(number)
    # These speak about every connection and every request; their warnings are enough.
    for chatty in ("aiokafka", "asyncio", "httpx", "httpcore", "uvicorn.access", "grpc"):
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))
