"""The link in a welcome e-mail that shows that the address is hers: no session, one press (D18).

A GET changes nothing, since scanners of mail open every link.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Path, Request
from loyalty.enrollment.v1.enrollment_pb2 import ConfirmAddressRequest
from starlette.responses import Response

from services.chassis.errors import RemoteRefusal
from services.chassis.proofs import PURPOSE
from services.gateway.deps import Deps, DepsDep
from services.gateway.errors import from_exception
from services.gateway.web import i18n
from services.gateway.web.render import page

router = APIRouter(include_in_schema=False)

PROOF_LENGTH_MAX: Final = 200
Proof = Annotated[str, Path(max_length=PROOF_LENGTH_MAX)]


@router.get("/confirm/{proof}")
async def ask(request: Request, proof: Proof) -> Response:
    """A page with one button."""
    return _page(request)


@router.post("/confirm/{proof}")
async def confirm(request: Request, deps: DepsDep, proof: Proof) -> Response:
    """The address is hers from now on. Repeatable."""
    if deps.signer(PURPOSE).verify(proof) is None:
        # Only guesses are counted.
        await deps.limits.check("page", deps.limits.network_of(request))
    try:
        answer = await deps.clients.enrollment.ConfirmAddress(ConfirmAddressRequest(proof=proof))
    except RemoteRefusal as refusal:
        told = from_exception(refusal)
        problem = told.told(i18n.language_of(request))
        return _page(request, status=told.status, problem=problem)
    return _page(
        request,
        own=i18n.language_name(answer.language),
        done=True,
        salon=await _salon(deps, answer.chain_id),
    )


async def _salon(deps: Deps, chain_id: str) -> str:
    chain = await deps.chains.by_id(chain_id)
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
        "member/confirm.html",
        status=status,
        language=i18n.language_of(request, own=own),
        salon=salon,
        done=done,
        problem=problem,
    )
