"""From a refusal to what the caller sees: status, Square's error shape, words in her language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Self

import grpc
import orjson
import structlog
from chassis.v1 import refusal_pb2
from fastapi import Request
from starlette.responses import Response

from services.chassis.errors import RateLimited, RemoteRefusal, Unavailable
from services.gateway.message_words import MESSAGE_REFUSALS
from services.gateway.order_words import ORDER_REFUSALS
from services.gateway.refusal_words import OWN_REFUSALS, Words
from services.gateway.sale_words import SALE_REFUSALS
from services.gateway.service_words import SERVICE_REFUSALS
from services.gateway.web.typesetting import french

log = structlog.get_logger(__name__)

REFUSALS: Final[Mapping[str, Words]] = {
    **SERVICE_REFUSALS,
    **SALE_REFUSALS,
    **MESSAGE_REFUSALS,
    **ORDER_REFUSALS,
    **OWN_REFUSALS,
}

LANGUAGES: Final = ("en", "fr")

# For a code that the table does not hold, the kind of refusal still gives a true answer.
_BY_GRPC_STATUS: Final[Mapping[grpc.StatusCode, str]] = {
    grpc.StatusCode.INVALID_ARGUMENT: "INVALID_VALUE",
    grpc.StatusCode.OUT_OF_RANGE: "INVALID_VALUE",
    grpc.StatusCode.NOT_FOUND: "NOT_FOUND",
    grpc.StatusCode.ALREADY_EXISTS: "CONFLICT",
    grpc.StatusCode.FAILED_PRECONDITION: "CONFLICT",
    grpc.StatusCode.ABORTED: "CONFLICT",
    grpc.StatusCode.PERMISSION_DENIED: "FORBIDDEN",
    grpc.StatusCode.UNAUTHENTICATED: "UNAUTHORIZED",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "RATE_LIMITED",
    grpc.StatusCode.UNAVAILABLE: "SERVICE_UNAVAILABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "SERVICE_UNAVAILABLE",
}


class _Params(dict[str, str]):
    """A text whose parameter is missing stays readable."""

    def __missing__(self, key: str) -> str:
        return "…"


def words_of(code: str) -> Words:
    """The table's row of a code, in any spelling; the row of an inner fault for an unknown one."""
    return REFUSALS.get(code.upper()) or REFUSALS["INTERNAL_SERVER_ERROR"]


def describe(code: str, params: Mapping[str, str], language: str) -> str:
    """What this refusal means and what to do next, in English or French."""
    words = words_of(code)
    text = french(words.fr) if language == "fr" else words.en
    return text.format_map(_Params(params))


def category_of(status: int, code: str) -> str:
    """Square's category of an error."""
    if code == "PLAN_REQUIRED":
        return "MERCHANT_SUBSCRIPTION_ERROR"
    if status == 401 or code in {"INSUFFICIENT_SCOPES", "FORBIDDEN"}:
        return "AUTHENTICATION_ERROR"
    if status == 429:
        return "RATE_LIMIT_ERROR"
    return "API_ERROR" if status >= 500 else "INVALID_REQUEST_ERROR"


class ApiError(Exception):
    """A refusal on its way to the caller.

    `reason` is the table's key; `code` is what the API shows for it. Without `detail` the table's
    words are told in the caller's language.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        category: str = "",
        detail: str | None = None,
        field: str = "",
        reason: str = "",
        params: Mapping[str, str] | None = None,
        retry_after_seconds: int = 0,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.category = category or category_of(status, code)
        self.detail = detail
        self.field = field
        self.reason = reason or code
        self.params = dict(params or {})
        self.retry_after_seconds = retry_after_seconds

    @classmethod
    def of(
        cls,
        reason: str,
        *,
        field: str = "",
        params: Mapping[str, str] | None = None,
        retry_after_seconds: int = 0,
    ) -> Self:
        """The error of a code in the table."""
        words = words_of(reason)
        filled = dict(params or {})
        if retry_after_seconds:
            filled.setdefault("retry_after_seconds", str(retry_after_seconds))
        return cls(
            status=words.status,
            code=words.public or reason.upper(),
            field=field,
            reason=reason,
            params=filled,
            retry_after_seconds=retry_after_seconds,
        )

    @classmethod
    def from_item(cls, refusal: refusal_pb2.Refusal, names: Mapping[str, str]) -> Self:
        """The refusal of one item of a batch call, its field by the caller's name for it."""
        code = refusal.code.upper()
        if code == "INTERNAL":
            # The service failed at this one item; it has logged why.
            code = "INTERNAL_SERVER_ERROR"
        elif code not in REFUSALS:
            log.error("refusal_without_words", refusal=refusal.code)
            code = "INVALID_VALUE"
        return cls.of(
            code,
            field=names.get(refusal.field, refusal.field),
            params=dict(refusal.params),
            retry_after_seconds=refusal.retry_after_seconds,
        )

    def told(self, language: str) -> str:
        """The error's words in this language."""
        return self.detail or describe(self.reason, self.params, language)

    def as_dict(self, language: str) -> dict[str, str]:
        """One entry of Square's `errors` list."""
        entry = {"category": self.category, "code": self.code, "detail": self.told(language)}
        if self.field:
            entry["field"] = self.field
        return entry


def from_remote(refusal: RemoteRefusal, names: Mapping[str, str] | None = None) -> ApiError:
    """What a service refused, as the caller is told; a code without words keeps its kind.

    `names` gives the services' fields the names that the caller used for them.
    """
    code = refusal.code.upper()
    if code not in REFUSALS:
        log.error("refusal_without_words", refusal=refusal.code, status=refusal.status.name)
        code = _BY_GRPC_STATUS.get(refusal.status, "INTERNAL_SERVER_ERROR")
    return ApiError.of(
        code,
        field=(names or {}).get(refusal.field, refusal.field),
        params=refusal.params,
        retry_after_seconds=refusal.retry_after_seconds,
    )


def from_exception(error: Exception) -> ApiError:
    """The error that any exception out of a route becomes; unknown ones say nothing of inside."""
    match error:
        case ApiError():
            return error
        case RemoteRefusal():
            return from_remote(error)
        case RateLimited():
            return ApiError.of(
                "RATE_LIMITED",
                field=error.field,
                retry_after_seconds=max(1, error.retry_after_seconds),
            )
        case Unavailable():
            return ApiError.of("SERVICE_UNAVAILABLE")
        case grpc.aio.AioRpcError() if error.code() in {
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.CANCELLED,
        }:
            return ApiError.of("SERVICE_UNAVAILABLE")
    return ApiError.of("INTERNAL_SERVER_ERROR")


@contextmanager
def api_fields(names: Mapping[str, str]) -> Iterator[None]:
    """Give the fields of a service's refusals the names that the caller used for them.

    A field that is not named in `names` is told as the service calls it.
    """
    try:
        yield
    except RemoteRefusal as refusal:
        raise from_remote(refusal, names) from None


def language_of(request: Request, default: str = "en") -> str:
    """The language for an error's words: the best of Accept-Language that we speak."""
    return best_language(request.headers.get("accept-language", ""), default)


def best_language(accepted: str, default: str = "en") -> str:
    """The best of an Accept-Language that we speak."""
    best, best_quality = default, 0.0
    for part in accepted[:200].split(","):
        tag, _, quality_text = part.strip().partition(";q=")
        try:
            quality = float(quality_text) if quality_text else 1.0
        except ValueError:
            continue
        language = tag.strip().lower().split("-")[0]
        if language in LANGUAGES and quality > best_quality:
            best, best_quality = language, quality
    return best


def body_of(errors: list[ApiError], language: str) -> dict[str, list[dict[str, str]]]:
    """Square's error body."""
    return {"errors": [error.as_dict(language) for error in errors]}


class Json(Response):
    """A JSON answer, which no cache may keep."""

    media_type = "application/json"

    def __init__(
        self, content: object, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, {"Cache-Control": "no-store", **(headers or {})})

    def render(self, content: object) -> bytes:
        """The content as bytes."""
        return orjson.dumps(content)


def answer(request: Request, errors: list[ApiError]) -> Json:
    """The JSON answer of a refused request; the first error gives the status."""
    first = errors[0]
    headers = {}
    if first.retry_after_seconds:
        headers["Retry-After"] = str(first.retry_after_seconds)
    elif first.status == 503:
        headers["Retry-After"] = "1"
    if first.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Json(body_of(errors, language_of(request)), first.status, headers)
