"""The link in every e-mail that may be refused: no session, one press, or one click of a mailbox.

RFC 8058: the mailbox provider posts `List-Unsubscribe=One-Click` from elsewhere, without cookies.
A GET changes nothing, since scanners of mail open every link.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from loyalty.messaging.v1.messaging_pb2 import UnsubscribeRequest
from starlette.responses import Response

from services.chassis.errors import RemoteRefusal
from services.gateway.deps import DepsDep
from services.gateway.errors import from_exception
from services.gateway.web import i18n
from services.gateway.web.render import page

router = APIRouter(include_in_schema=False)

Token = Annotated[str, Path(max_length=2000)]


@router.get("/u/{token}")
async def ask(request: Request, token: Token) -> Response:
    """A page with one button."""
    return page(
        request,
        "member/unsubscribe.html",
        language=i18n.language_of(request),
        done=False,
        problem="",
    )


@router.post("/u/{token}")
async def unsubscribe(request: Request, deps: DepsDep, token: Token) -> Response:
    """Stop the chain's e-mails to this address, at once. Repeatable."""
    await deps.limits.check("page", deps.limits.network_of(request))
    language = i18n.language_of(request)
    try:
        answer = await deps.clients.messaging.Unsubscribe(UnsubscribeRequest(token=token))
    except RemoteRefusal as refusal:
        told = from_exception(refusal)
        return page(
            request,
            "member/unsubscribe.html",
            status=told.status,
            language=language,
            done=False,
            problem=told.told(language),
        )
    own = i18n.language_name(answer.language) if answer.language else ""
    return page(
        request,
        "member/unsubscribe.html",
        language=i18n.language_of(request, own=own),
        done=True,
        problem="",
    )
