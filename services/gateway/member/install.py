"""What makes the pages an app: manifest, icons, service worker, offline page, live news."""

from __future__ import annotations

import asyncio
from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from loyalty.enrollment.v1.enrollment_pb2 import GetChainRequest

from services.gateway.live import event_stream
from services.gateway.member import brand
from services.gateway.member.door import NothingHere, PageRoute, Visit, VisitDep
from services.gateway.web.assets import FOREVER, static
from services.gateway.web.render import environment

log = structlog.get_logger(__name__)

router = APIRouter(route_class=PageRoute, include_in_schema=False)

Phone = Literal["ios", "samsung", "android", "other"]
# What an installed app needs at once, and what the offline page is made of.
KEPT_FILES = ("app.css", "member.css", "screen.js", "member.js")
AN_HOUR = "public, max-age=3600"


def phone_kind(request: Request) -> Phone:
    """Which drawn instructions fit this phone, by what its browser says of itself."""
    agent = request.headers.get("user-agent", "")[:400].lower()
    if "iphone" in agent or "ipad" in agent:
        return "ios"
    if "samsungbrowser" in agent:
        return "samsung"
    return "android" if "android" in agent else "other"


@router.get("/m/{slug}/brand/{color}.css")
async def brand_stylesheet(color: str) -> Response:
    """The chain's colours; the address holds the colour, so a phone may keep it."""
    css = brand.stylesheet(color)
    return Response(css, media_type="text/css", headers={"cache-control": FOREVER})


@router.get("/m/{slug}/icon/{mark}/{size}.png")
async def icon(visit: VisitDep, mark: str, size: int) -> Response:
    """The chain's icon: its logo, or its initial on its colour."""
    if size not in brand.ICON_SIZES:
        raise NothingHere
    picture = await _logo_icon(visit, size)
    if not picture:
        chain = visit.chain
        picture = await asyncio.to_thread(brand.initial_icon, chain.name, visit.look.color, size)
    keep = FOREVER if mark == visit.look.mark else AN_HOUR
    return Response(picture, media_type="image/png", headers={"cache-control": keep})


async def _logo(visit: Visit) -> bytes:
    request = GetChainRequest(chain_id=visit.chain.id, include_logo=True)
    return (await visit.deps.clients.enrollment.GetChain(request)).chain.logo


async def _logo_icon(visit: Visit, size: int) -> bytes:
    if not visit.chain.logo_digest:
        return b""
    logo = await _logo(visit)
    try:
        return await asyncio.to_thread(brand.logo_icon, logo, visit.look.color, size)
    except (OSError, ValueError):
        log.warning("logo_not_drawn", chain_id=visit.chain.id)
        return b""


@router.get("/m/{slug}/logo/{digest}")
async def logo(visit: VisitDep, digest: str) -> Response:
    """The chain's logo as the panel stored it: decoded and written anew there."""
    picture = await _logo(visit) if visit.chain.logo_digest else b""
    if not picture:
        raise NothingHere
    keep = FOREVER if digest == visit.chain.logo_digest else AN_HOUR
    kind = visit.chain.logo_media_type or "image/png"
    return Response(picture, media_type=kind, headers={"cache-control": keep})


@router.get("/m/{slug}/manifest.webmanifest")
async def manifest(visit: VisitDep) -> Response:
    """What the home screen shows of the chain (W3C Web Application Manifest)."""
    base, look = visit.base, visit.look
    icons = [
        {
            "src": f"{base}/icon/{look.mark}/{size}.png",
            "sizes": f"{size}x{size}",
            "type": "image/png",
            "purpose": "any maskable",
        }
        for size in (192, 512)
    ]
    return JSONResponse(
        {
            "id": base,
            "name": visit.chain.name,
            "short_name": visit.chain.name[:24],
            "lang": visit.language,
            "start_url": base,
            "scope": base,
            "display": "standalone",
            "background_color": "#faf6f0",
            "theme_color": look.hex,
            "icons": icons,
        },
        media_type="application/manifest+json",
        headers={"cache-control": "no-cache"},
    )


@router.get("/m/{slug}/sw.js")
async def service_worker(visit: VisitDep) -> Response:
    """Keeps static files and the offline page, never a page of hers."""
    brand_css = f"{visit.base}/brand/{visit.look.color}.css"
    kept = [brand_css, *(static(name) for name in KEPT_FILES)]
    script = (
        environment(visit.language)
        .get_template("member/sw.js")
        .render(base=visit.base, kept=kept, offline=f"{visit.base}/offline")
    )
    return Response(
        script,
        media_type="text/javascript",
        headers={"cache-control": "no-cache", "service-worker-allowed": visit.base},
    )


@router.get("/m/{slug}/offline")
async def offline(visit: VisitDep) -> Response:
    """Shown without a network: the last balance with its time, and nothing that can be used."""
    return visit.show("offline.html")


@router.get("/m/{slug}/live")
async def live(visit: VisitDep) -> Response:
    """News for her open screens; 204 tells a browser without session not to ask again."""
    if visit.principal is None:
        return Response(status_code=204)
    return event_stream(visit.deps.live, visit.member_id)
