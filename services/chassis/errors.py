"""Faults that every service meets; what a service's own rules refuse lives in its domain."""

from __future__ import annotations

from collections.abc import Mapping

import grpc


class InvariantViolated(Exception):
    """Something that cannot be has happened; a person must look. Callers see INTERNAL."""


class Unavailable(Exception):
    """A peer or an engine is out of reach; the same request may be sent again later."""


class TooBusy(Unavailable):
    """The database answers others: this work alone waited too long for a lock or took too long."""


class KeyReused(Exception):
    """An idempotency key came again with another request body."""

    code = "IDEMPOTENCY_KEY_REUSED"
    field = "idempotency_key"


class RateLimited(Exception):
    """Too many requests of one kind; worth asking again after `retry_after_seconds`."""

    code = "RATE_LIMITED"

    def __init__(self, retry_after_seconds: int, *, field: str = "") -> None:
        super().__init__(f"retry after {retry_after_seconds} s")
        self.retry_after_seconds = retry_after_seconds
        self.field = field


class RemoteRefusal(Exception):
    """A peer service refused, as its caller sees it: the peer's code, field and parameters.

    Raised out of a gRPC method unchanged, it reaches that method's own caller unchanged.
    """

    def __init__(
        self,
        *,
        code: str,
        status: grpc.StatusCode,
        field: str = "",
        params: Mapping[str, str] | None = None,
        retry_after_seconds: int = 0,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.field = field
        self.params = dict(params or {})
        self.retry_after_seconds = retry_after_seconds
