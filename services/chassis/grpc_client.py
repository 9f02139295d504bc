"""Channels to other services: deadline, request id, and a peer's refusal as an exception.

A stub made on such a channel is called as usual; what it raises is `RemoteRefusal`, `Unavailable`,
or, where the peer failed by its own fault, gRPC's own error.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, NoReturn, cast

import grpc
from chassis.v1 import refusal_pb2
from google.protobuf.message import DecodeError

from services.chassis import context
from services.chassis.errors import RemoteRefusal, Unavailable
from services.chassis.grpc_server import MESSAGE_BYTES_MAX, REFUSAL_KEY, REQUEST_ID_KEY
from services.chassis.metrics import PEER_CALLS_TOTAL

DEADLINE_SECONDS = 5.0
# A call that never reached the peer may be sent again; more often would be a storm.
CONNECT_ATTEMPTS_MAX = 3
CONNECT_PAUSE_SECONDS = 0.1

_OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A peer that comes back is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # Peers are addressed directly, whatever proxy the environment names for the outside.
    ("grpc.enable_http_proxy", 0),
    # We retry ourselves, only what never left.
    ("grpc.enable_retries", 0),
)

# CANCELLED that we did not ask for comes from a peer that stops.
_AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
)
_NEVER_LEFT = ("failed to connect", "connections to all backends failing", "connection refused")


def channel(address: str, *, deadline_seconds: float = DEADLINE_SECONDS) -> grpc.aio.Channel:
    """A channel to the service at `host:port`; connects when it is first used."""
    return cast("grpc.aio.Channel", PeerChannel(address, deadline_seconds=deadline_seconds))


def _metadata(given: Any) -> tuple[tuple[str, str], ...]:
    request_id = context.request_id() or context.new_request_id()
    return (*(given or ()), (REQUEST_ID_KEY, request_id))


class PeerFailed(Exception):
    """One item of a batch came to nothing in the peer, by a fault of its own."""


_STATUS_OF_NUMBER = {status.value[0]: status for status in grpc.StatusCode}


def item_refused(refusal: refusal_pb2.Refusal) -> Exception:
    """What a call of its own would have raised for one item of a batch."""
    status = _STATUS_OF_NUMBER.get(refusal.status, grpc.StatusCode.UNKNOWN)
    if refusal.code == "unavailable" and status is grpc.StatusCode.UNAVAILABLE:
        return Unavailable("the peer could not do one of several")
    if status is grpc.StatusCode.INTERNAL:
        return PeerFailed(refusal.code)
    return _refused(refusal, status)


def _refused(refusal: refusal_pb2.Refusal, status: grpc.StatusCode) -> RemoteRefusal:
    return RemoteRefusal(
        code=refusal.code,
        status=status,
        field=refusal.field,
        params=dict(refusal.params),
        retry_after_seconds=refusal.retry_after_seconds,
    )


def _raise(method: str, error: grpc.aio.AioRpcError) -> NoReturn:
    """Turn gRPC's error into ours."""
    status = error.code()
    PEER_CALLS_TOTAL.labels(method, status.name).inc()
    for key, value in cast("Sequence[tuple[str, bytes]]", error.trailing_metadata() or ()):
        if key == REFUSAL_KEY:
            try:
                refusal = refusal_pb2.Refusal.FromString(value)
            except DecodeError:
                break
            raise _refused(refusal, status) from None
    if status in _AWAY:
        raise Unavailable(f"{method}: {status.name}") from error
    raise error


def _never_left(error: grpc.aio.AioRpcError) -> bool:
    details = (error.details() or "").lower()
    return error.code() is grpc.StatusCode.UNAVAILABLE and any(
        sign in details for sign in _NEVER_LEFT
    )


class PeerChannel:
    """A gRPC channel whose calls carry deadline and request id and raise our errors."""

    def __init__(self, address: str, *, deadline_seconds: float) -> None:
        self._channel: Any = grpc.aio.insecure_channel(address, options=cast("Any", _OPTIONS))
        self._deadline_seconds = deadline_seconds

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """A method with one answer."""
        send = self._channel.unary_unary(method, *args, **kwargs)
        name = method.lstrip("/")
        succeeded = PEER_CALLS_TOTAL.labels(name, "OK")

        async def call(
            request: Any, timeout: float | None = None, metadata: Any = None, **options: Any
        ) -> Any:
            loop = asyncio.get_running_loop()
            end = loop.time() + (self._deadline_seconds if timeout is None else timeout)
            pairs = _metadata(metadata)
            for attempt in range(1, CONNECT_ATTEMPTS_MAX + 1):
                try:
                    response = await send(
                        request,
                        timeout=max(end - loop.time(), 0.001),
                        metadata=pairs,
                        **options,
                    )
                except grpc.aio.AioRpcError as error:
                    pause = CONNECT_PAUSE_SECONDS * attempt * random.uniform(0.5, 1)  # noqa: S311
                    late = loop.time() + pause >= end
                    if attempt == CONNECT_ATTEMPTS_MAX or late or not _never_left(error):
                        _raise(name, error)
                    await asyncio.sleep(pause)
                else:
                    succeeded.inc()
                    return response
            raise Unavailable(name)

        return call

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        """A method with many answers; it has no deadline unless the caller names one."""
        send = self._channel.unary_stream(method, *args, **kwargs)
        name = method.lstrip("/")

        async def call(
            request: Any, timeout: float | None = None, metadata: Any = None, **options: Any
        ) -> AsyncIterator[Any]:
            try:
                async for response in send(
                    request, timeout=timeout, metadata=_metadata(metadata), **options
                ):
                    yield response
            except grpc.aio.AioRpcError as error:
                _raise(name, error)

        return call

    async def channel_ready(self) -> None:
        """Wait until the peer answers."""
        await self._channel.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        """End the channel; calls in hand get `grace` seconds."""
        await self._channel.close(grace)
