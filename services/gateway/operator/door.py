"""Who is an operator: whoever shows the operator's key."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import Depends, Request
from loyalty.types.v1.types_pb2 import Actor

from services.gateway.auth import bearer
from services.gateway.deps import Deps, get_deps
from services.gateway.errors import ApiError
from services.gateway.pos.caller import check_version

OPERATOR = Actor(kind=Actor.KIND_OPERATOR, id="operator")


async def _operator(request: Request) -> Deps:
    check_version(request)
    deps = get_deps(request)
    network = deps.limits.network_of(request)
    token = bearer(request)
    if token is None:
        raise ApiError.of("UNAUTHORIZED")
    key = deps.settings.operator_key.get_secret_value()
    if not hmac.compare_digest(token.encode("utf-8", "replace"), key.encode()):
        await deps.limits.check("unknown_token", network)
        raise ApiError.of("UNAUTHORIZED")
    await deps.limits.check("operator", network)
    return deps


OperatorDeps = Annotated[Deps, Depends(_operator)]
