"""A typed address leads home however it is spelled (LS-45)."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

router = APIRouter(include_in_schema=False)


@router.get("/M/{rest:path}")
async def lower_case(request: Request, rest: str) -> Response:
    """Phones like to begin with a capital."""
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"/m/{quote(rest.strip('/'), safe='/-_.~')}{query}", status_code=308)
