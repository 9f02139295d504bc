"""The API key behind a request: its chain, its salons, its keys for repeating."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final
from uuid import uuid4

from fastapi import Depends, Request
from loyalty.enrollment.v1.enrollment_pb2 import Chain, Principal, Salon
from loyalty.types.v1.types_pb2 import Actor

from services.gateway.auth import OWNER_SCOPE, require_key
from services.gateway.deps import Deps, get_deps
from services.gateway.errors import ApiError, best_language
from services.gateway.headers import header
from services.gateway.pos.fields import KEY_LENGTH_MAX, id_or_none, single_line

_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls `/v2` and what the request's headers say."""

    principal: Principal
    deps: Deps
    header_key: str | None
    accept_language: str = ""

    @property
    def language(self) -> str:
        """The language for words in an answer, `en` or `fr`."""
        return best_language(self.accept_language)

    @property
    def chain_id(self) -> str:
        """The chain that the key belongs to."""
        return self.principal.chain_id

    @property
    def actor(self) -> Actor:
        """The key, as services write it down."""
        return self.principal.actor

    @property
    def is_owner(self) -> bool:
        """Whether the key may read codes back."""
        return OWNER_SCOPE in self.principal.scopes

    @property
    def salon_ids(self) -> frozenset[str]:
        """Salons that the key speaks for; empty = every salon of the chain."""
        return frozenset(self.principal.salon_ids)

    def may_speak_for(self, salon_id: str) -> bool:
        """Whether the key's limit to salons, if it has one, lets it speak for this one."""
        return not self.principal.salon_ids or salon_id in self.principal.salon_ids

    @property
    def only_salon(self) -> str:
        """The salon of a key that has just one, else empty."""
        return self.principal.salon_ids[0] if len(self.principal.salon_ids) == 1 else ""

    async def salon(self, location_id: str | None, *, field: str = "location_id") -> Salon:
        """A salon of the chain that the key speaks for; anything else is not found."""
        salon_id = id_or_none(location_id or "")
        if salon_id is not None and self.may_speak_for(salon_id):
            salon = await self.deps.salons.find(self.chain_id, salon_id)
            if salon is not None:
                return salon
        raise ApiError.of("NOT_FOUND", field=field)

    async def salons(self) -> list[Salon]:
        """The chain's salons that the key speaks for, oldest first."""
        salons = await self.deps.salons.of(self.chain_id)
        return [salon for salon in salons if self.may_speak_for(salon.id)]

    async def chain(self) -> Chain:
        """The key's chain."""
        chain = await self.deps.chains.by_id(self.chain_id)
        if chain is None:
            raise ApiError.of("UNAUTHORIZED")
        return chain

    def key(self, body_key: str | None) -> str:
        """The idempotency key of a request that needs one; body and header are aliases."""
        key = self.key_or_none(body_key)
        if key is None:
            missing = body_key is None
            raise ApiError.of(
                "MISSING_REQUIRED_PARAMETER" if missing else "VALUE_EMPTY", field="idempotency_key"
            )
        return key

    def key_or_new(self, body_key: str | None) -> str:
        """The idempotency key of a request that need not have one."""
        return self.key_or_none(body_key) or f"once-{uuid4()}"

    def key_or_none(self, body_key: str | None) -> str | None:
        """The idempotency key, if the caller sent one."""
        if body_key and self.header_key and body_key != self.header_key:
            raise ApiError.of(
                "CONFLICTING_PARAMETERS",
                field="idempotency_key",
                params={"fields": "idempotency_key, Idempotency-Key"},
            )
        return body_key or self.header_key or None


def check_version(request: Request) -> None:
    """A `Square-Version` header may be missing; a malformed one is refused."""
    version = header(request.scope, b"square-version")
    if version is None:
        return
    try:
        if not _VERSION.fullmatch(version):
            raise ValueError(version)
        date.fromisoformat(version)
    except ValueError:
        raise ApiError.of("INVALID_SQUARE_VERSION_FORMAT", field="Square-Version") from None


def header_key(request: Request) -> str | None:
    """The `Idempotency-Key` header, checked like the body's field."""
    key = header(request.scope, b"idempotency-key")
    if key is None:
        return None
    if not key or len(key) > KEY_LENGTH_MAX:
        code = "VALUE_TOO_LONG" if key else "VALUE_EMPTY"
        raise ApiError.of(code, field="Idempotency-Key", params={"max_length": str(KEY_LENGTH_MAX)})
    return single_line(key)


def _caller(*scopes: str) -> Callable[[Request], Awaitable[Caller]]:
    authenticate = require_key(*scopes)

    async def caller(request: Request) -> Caller:
        check_version(request)
        principal = await authenticate(request)
        return Caller(
            principal=principal,
            deps=get_deps(request),
            header_key=header_key(request),
            accept_language=header(request.scope, b"accept-language") or "",
        )

    # The OpenAPI document reads them back.
    caller.scopes = scopes  # type: ignore[attr-defined]
    return caller


LoyaltyReader = Annotated[Caller, Depends(_caller("LOYALTY_READ"))]
LoyaltyWriter = Annotated[Caller, Depends(_caller("LOYALTY_WRITE"))]
CustomerReader = Annotated[Caller, Depends(_caller("CUSTOMERS_READ"))]
CustomerWriter = Annotated[Caller, Depends(_caller("CUSTOMERS_WRITE"))]
OrderReader = Annotated[Caller, Depends(_caller("ORDERS_READ"))]
OrderWriter = Annotated[Caller, Depends(_caller("ORDERS_WRITE"))]
ItemReader = Annotated[Caller, Depends(_caller("ITEMS_READ"))]
ItemWriter = Annotated[Caller, Depends(_caller("ITEMS_WRITE"))]
ProfileReader = Annotated[Caller, Depends(_caller("MERCHANT_PROFILE_READ"))]
Owner = Annotated[Caller, Depends(_caller(OWNER_SCOPE))]
