"""Who is an operator: whoever shows the operator's key."""

from __future__ import annotations

import hmac
import re
from typing import Annotated, Final

from fastapi import Depends, Request
from loyalty.types.v1.types_pb2 import Actor

from services.gateway.auth import bearer
from services.gateway.deps import Deps, get_deps
from services.gateway.errors import ApiError
from services.gateway.pos.caller import check_version

OPERATOR = Actor(kind=Actor.KIND_OPERATOR, id="operator")
# All operators show one key; who of them it is, a caller may say. No name and no address.
OPERATOR_ID_HEADER: Final = "Operator-Id"
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


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


def operator_of(request: Request) -> Actor:
    """The operator who acts, as an audit keeps her: by `Operator-Id`, else "operator"."""
    said = request.headers.get(OPERATOR_ID_HEADER)
    if said is None:
        return OPERATOR
    if not _ID.fullmatch(said):
        raise ApiError.of("INVALID_VALUE", field=OPERATOR_ID_HEADER)
    return Actor(kind=Actor.KIND_OPERATOR, id=said)


OperatorDep = Annotated[Actor, Depends(operator_of)]
