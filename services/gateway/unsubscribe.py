"""The link in every e-mail that may be refused: no session, one press, or one click of a mailbox.

RFC 8058: the mailbox provider posts `List-Unsubscribe=One-Click` from elsewhere, without cookies.
A GET changes nothing, since scanners of mail open every link.
"""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Path, Request
from loyalty.messaging.v1.messaging_pb2 import UnsubscribeRequest
from starlette.responses import Response

from services.chassis.errors import RemoteRefusal
from services.gateway.deps import Deps, DepsDep
from services.gateway.errors import from_exception
from services.gateway.web import i18n
from services.gateway.web.render import page

router = APIRouter(include_in_schema=False)

# Messaging signs the links for this purpose.
PURPOSE: Final = "unsubscribe"
# The chain's id, then the delivery's.
PAYLOAD_BYTES: Final = 32
Token = Annotated[str, Path(max_length=2000)]


@router.get("/u/{token}")
async def ask(request: Request, deps: DepsDep, token: Token) -> Response:
    """A page with one button."""
    return _page(request, salon=await _salon_of(deps, token))


@router.post("/u/{token}")
async def unsubscribe(request: Request, deps: DepsDep, token: Token) -> Response:
    """Stop the chain's e-mails to this address, at once. Repeatable."""
    if deps.signer(PURPOSE).verify(token) is None:
        # Only guesses are counted: a mailbox provider posts for thousands from one network.
        await deps.limits.check("page", deps.limits.network_of(request))
    try:
        answer = await deps.clients.messaging.Unsubscribe(UnsubscribeRequest(token=token))
    except RemoteRefusal as refusal:
        told = from_exception(refusal)
        problem = told.told(i18n.language_of(request))
        return _page(request, status=told.status, problem=problem)
    own = i18n.language_name(answer.language) if answer.language else ""
    return _page(request, own=own, done=True, salon=await _salon_of(deps, token))


async def _salon_of(deps: Deps, token: str) -> str:
    """The name of the chain that wrote; empty for a link that is not ours."""
    payload = deps.signer(PURPOSE).verify(token)
    if payload is None or len(payload) != PAYLOAD_BYTES:
        return ""
    chain = await deps.chains.by_id(str(UUID(bytes=payload[:16])))
    return chain.name if chain else ""


def _page(
    request: Request,
    *,
    status: int = 200,
    own: str = "",
    salon: str = "",
    done: bool = False,
    problem: str = "",
) -> Response:
    return page(
        request,
        "member/unsubscribe.html",
        status=status,
        language=i18n.language_of(request, own=own),
        salon=salon,
        done=done,
        problem=problem,
    )
