"""What the work in hand belongs to: request, chain and event, carried along by contextvars."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
CHAIN_ID: ContextVar[str] = ContextVar("chain_id", default="")
EVENT_ID: ContextVar[str] = ContextVar("event_id", default="")

# A request id comes from outside and goes into logs and headers: short, and no control characters.
_REQUEST_ID_FORM = re.compile(r"[A-Za-z0-9._-]{1,64}")


# A request id is a name and no secret: it need not cost a call to the system.
_names = Random()  # noqa: S311


def new_request_id() -> str:
    """A fresh request id."""
    return f"{_names.getrandbits(128):032x}"


def accepted_request_id(offered: str | None) -> str:
    """The id that a caller offered when it has a harmless form, else a fresh one."""
    if offered and _REQUEST_ID_FORM.fullmatch(offered):
        return offered
    return new_request_id()


def request_id() -> str:
    """The id of the request in hand, empty outside of one."""
    return REQUEST_ID.get()


@contextmanager
def bind(
    *, request_id: str | None = None, chain_id: str | None = None, event_id: str | None = None
) -> Iterator[None]:
    """Say what the enclosed work belongs to; what is not named stays as it was."""
    pairs = ((REQUEST_ID, request_id), (CHAIN_ID, chain_id), (EVENT_ID, event_id))
    tokens = [(variable, variable.set(value)) for variable, value in pairs if value is not None]
    try:
        yield
    finally:
        for variable, token in reversed(tokens):
            variable.reset(token)
