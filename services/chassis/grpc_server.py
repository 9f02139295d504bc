"""The one gRPC server of a service: request ids, metrics, and refusals that reach the caller whole.

Every method is wrapped once, when it is registered; a call pays for no interceptor.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import grpc
import structlog
from chassis.v1 import refusal_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from services.chassis import context
from services.chassis.errors import (
    InvariantViolated,
    KeyReused,
    RateLimited,
    RemoteRefusal,
    Unavailable,
)
from services.chassis.metrics import RPC_HANDLED_SECONDS
from services.chassis.postgres import LOST_CONNECTION, TOO_BUSY, is_lost

log = structlog.get_logger(__name__)

RefusalTable: TypeAlias = Mapping[type[Exception], grpc.StatusCode]
Register: TypeAlias = Callable[[grpc.aio.Server], None]

REQUEST_ID_KEY = "x-request-id"
REFUSAL_KEY = "refusal-bin"
# Uploads of images travel through gRPC; everything else is far smaller.
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
PARAM_LENGTH_MAX = 200

_OPTIONS: Sequence[tuple[str, Any]] = (
    # A second process on the same port must fail instead of taking half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    # Clients may keep an idle channel alive without being taken for an attack.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)

_KNOWN: RefusalTable = {
    KeyReused: grpc.StatusCode.INVALID_ARGUMENT,
    RateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a call ends that did not end well."""

    status: grpc.StatusCode
    details: str
    refusal: refusal_pb2.Refusal | None = None


def _refusal(error: Exception) -> refusal_pb2.Refusal:
    params: Mapping[str, object] = getattr(error, "params", None) or {}
    return refusal_pb2.Refusal(
        code=str(getattr(error, "code", type(error).__name__)),
        field=str(getattr(error, "field", "") or ""),
        params={name: str(value)[:PARAM_LENGTH_MAX] for name, value in params.items()},
        retry_after_seconds=int(getattr(error, "retry_after_seconds", 0) or 0),
    )


def _status(error: Exception, refusals: RefusalTable) -> grpc.StatusCode | None:
    if isinstance(error, RemoteRefusal):
        return error.status
    for table in (refusals, _KNOWN):
        for kind in type(error).__mro__:
            status = table.get(kind)
            if status is not None:
                return status
    return None


def answer(error: Exception, refusals: RefusalTable) -> Answer:
    """What the caller is told of an exception: a refusal whole, a fault of ours not at all."""
    status = _status(error, refusals)
    if status is not None:
        refusal = _refusal(error)
        return Answer(status=status, details=refusal.code, refusal=refusal)
    away = isinstance(error, Unavailable | grpc.aio.AioRpcError) and not (
        isinstance(error, grpc.aio.AioRpcError) and error.code() != grpc.StatusCode.UNAVAILABLE
    )
    if away or isinstance(error, TOO_BUSY):
        return Answer(status=grpc.StatusCode.UNAVAILABLE, details="unavailable")
    if isinstance(error, LOST_CONNECTION) and is_lost(error):
        return Answer(status=grpc.StatusCode.UNAVAILABLE, details="unavailable")
    return Answer(status=grpc.StatusCode.INTERNAL, details="internal")


def item_refusal(method: str, error: Exception, refusals: RefusalTable) -> refusal_pb2.Refusal:
    """What one item of a batch is told of its exception, and by which status; faults are logged."""
    told = answer(error, refusals)
    refusal = told.refusal or refusal_pb2.Refusal(code=told.details)
    if told.refusal is None:
        _log_fault(method, error, told.status)
    # A status of Python's grpc is its name with its number.
    refusal.status = told.status.value[0]
    return refusal


def _log_fault(method: str, error: Exception, status: grpc.StatusCode) -> None:
    if status is grpc.StatusCode.INTERNAL:
        broken = isinstance(error, InvariantViolated)
        log.error("invariant_violated" if broken else "rpc_failed", method=method, exc_info=error)
    else:
        log.warning("rpc_unavailable", method=method, fault=type(error).__name__)


def _offered_request_id(call: grpc.aio.ServicerContext[Any, Any]) -> str | None:
    for key, value in cast("Sequence[tuple[str, str]]", call.invocation_metadata() or ()):
        if key == REQUEST_ID_KEY:
            return value
    return None


class _Wrapping:
    """Stands in for the server while servicers register, and wraps each of their methods."""

    def __init__(self, server: grpc.aio.Server, refusals: RefusalTable) -> None:
        self._server = server
        self._refusals = refusals

    def add_generic_rpc_handlers(self, generic_rpc_handlers: object) -> None:
        """Generated code registers every method twice; the second way is enough."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """Register a service's methods, each in its wrapping."""
        wrapped = {
            name: self._wrap(f"{service}/{name}", cast("Any", handler))
            for name, handler in handlers.items()
        }
        server = cast("Any", self._server)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, wrapped),))
        server.add_registered_method_handlers(service, wrapped)

    def _wrap(self, method: str, handler: Any) -> Any:
        kinds = {
            "unary_unary": grpc.unary_unary_rpc_method_handler,
            "unary_stream": grpc.unary_stream_rpc_method_handler,
        }
        if handler.request_streaming:
            raise TypeError(f"{method}: methods that receive streams are not served")
        kind = "unary_stream" if handler.response_streaming else "unary_unary"
        wrap = self._streaming if handler.response_streaming else self._unary
        return kinds[kind](
            wrap(method, getattr(handler, kind)),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _unary(
        self, method: str, serve: Callable[[Any, Any], Awaitable[Any]]
    ) -> Callable[[Any, Any], Awaitable[Any]]:
        refusals = self._refusals
        succeeded = RPC_HANDLED_SECONDS.labels(method, "OK")

        async def call(request: Any, call_context: Any) -> Any:
            # Each call is a task of its own: what is set here ends with it.
            context.REQUEST_ID.set(context.accepted_request_id(_offered_request_id(call_context)))
            started = time.perf_counter()
            try:
                response = await serve(request, call_context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                await _abort(method, started, error, refusals, call_context)
            succeeded.observe(time.perf_counter() - started)
            return response

        return call

    def _streaming(
        self, method: str, serve: Callable[[Any, Any], AsyncIterator[Any]]
    ) -> Callable[[Any, Any], AsyncIterator[Any]]:
        refusals = self._refusals
        succeeded = RPC_HANDLED_SECONDS.labels(method, "OK")

        async def call(request: Any, call_context: Any) -> AsyncIterator[Any]:
            context.REQUEST_ID.set(context.accepted_request_id(_offered_request_id(call_context)))
            started = time.perf_counter()
            try:
                async for response in serve(request, call_context):
                    yield response
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                await _abort(method, started, error, refusals, call_context)
            succeeded.observe(time.perf_counter() - started)

        return call


async def _abort(
    method: str,
    started: float,
    error: Exception,
    refusals: RefusalTable,
    call_context: Any,
) -> None:
    """End a call with the status of its exception; log it by how much it concerns us."""
    told = answer(error, refusals)
    RPC_HANDLED_SECONDS.labels(method, told.status.name).observe(time.perf_counter() - started)
    if told.refusal is not None:
        log.info("rpc_refused", method=method, refusal=told.refusal.code, status=told.status.name)
        trailing: Sequence[tuple[str, bytes]] = ((REFUSAL_KEY, told.refusal.SerializeToString()),)
        await call_context.abort(told.status, told.details, trailing)
    _log_fault(method, error, told.status)
    await call_context.abort(told.status, told.details)


class GrpcServer:
    """One gRPC server with health checking, started and stopped gently."""

    def __init__(self, address: str) -> None:
        self._server = grpc.aio.server(options=cast("Any", _OPTIONS))
        self._health = cast("Any", health).aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._address = address
        self.port = 0

    def register(self, register: Register, refusals: RefusalTable) -> None:
        """Add services whose exceptions become statuses by `refusals`, base classes included."""
        register(cast("grpc.aio.Server", _Wrapping(self._server, refusals)))

    async def start(self) -> None:
        """Take calls; raises `RuntimeError` when the port is taken."""
        self.port = self._server.add_insecure_port(self._address)
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    async def refuse_new_calls(self) -> None:
        """Tell whoever asks for our health to go elsewhere, while calls still are served."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_seconds: float) -> None:
        """Finish the calls in hand, at most so long."""
        await self._server.stop(grace_seconds)
