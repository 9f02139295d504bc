"""Reads a QR out of a photo for phones whose browser cannot. Photos are never stored."""

from __future__ import annotations

import asyncio
import io
import re

import zxingcpp
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from PIL import Image, ImageOps, UnidentifiedImageError
from starlette.datastructures import UploadFile

from services.gateway.errors import ApiError
from services.gateway.member.door import MemberDep, PageRoute, Visit
from services.gateway.middleware import PHOTO_BYTES_MAX
from services.gateway.web.forms import Problems, wants_json

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# What is unpacked in memory. The JPEG reader shrinks large photos while it reads them, so this
# only stops large PNGs, which no camera makes.
PHOTO_PIXELS_MAX = 16_000_000
# A QR that fills a tenth of the picture still has enough of these pixels.
SIDE_MAX = 1600
# Decoding is work for the processor: two at once keep the rest of the door quick.
_AT_ONCE = asyncio.Semaphore(2)


def read_qr(photo: bytes) -> str:
    """The text of the first QR in a JPEG or PNG; empty when there is none or it is no picture."""
    try:
        with Image.open(io.BytesIO(photo), formats=["JPEG", "PNG"]) as opened:
            opened.draft("L", (SIDE_MAX, SIDE_MAX))
            if opened.width * opened.height > PHOTO_PIXELS_MAX:
                return ""
            picture = ImageOps.exif_transpose(opened).convert("L")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return ""
    picture.thumbnail((SIDE_MAX, SIDE_MAX))
    found = zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormat.QRCode)
    return next((str(code.text) for code in found), "")


def earn_path(text: str, *, slug: str) -> str:
    """The path of this chain's earn link in a QR's text; empty for any other QR.

    The host is not compared: a poster printed for the salon's address works on a test address too,
    and the token is what counts.
    """
    match = re.fullmatch(
        rf"(?:https?://[^/\s]+)?/m/{re.escape(slug)}/g/([A-Za-z0-9_.~-]{{1,256}})/?(?:\?\S*)?",
        text.strip(),
        re.IGNORECASE,
    )
    return f"/g/{match.group(1)}" if match else ""


@router.post("/m/{slug}/decode")
async def decode(visit: MemberDep) -> Response:
    """The earn link in a photo: a page is sent there, a script is told where it is."""
    await visit.deps.limits.check("decode", visit.chain.id, visit.signed_in.session_id)
    photo = await _photo(visit)
    if len(photo) > PHOTO_BYTES_MAX:
        raise ApiError.of("REQUEST_ENTITY_TOO_LARGE", params={"bytes_max": str(PHOTO_BYTES_MAX)})
    async with _AT_ONCE:
        text = await asyncio.to_thread(read_qr, photo)
    path = earn_path(text, slug=visit.chain.slug) if text else ""
    if wants_json(visit.request):
        return JSONResponse({"found": bool(text), "location": visit.base + path if path else ""})
    if path:
        return visit.go(path)
    words = (
        visit.say("Ce code QR n'est pas celui qui fait gagner des points dans ce salon.")
        if text
        else visit.say("Aucun code QR n'est lisible sur cette photo. Approchez-vous et réessayez.")
    )
    return visit.show("scan.html", problems=Problems(form=words), grant=None)


async def _photo(visit: Visit) -> bytes:
    """The picture that was sent: as the body itself, or as the file of a form."""
    request = visit.request
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.body()
    form = await request.form(max_files=1, max_fields=4)
    photo = form.get("photo")
    return await photo.read() if isinstance(photo, UploadFile) else b""


@router.get("/m/{slug}/decode")
async def decode_takes_a_photo(visit: MemberDep) -> Response:
    """This address only takes photos."""
    return visit.go("/scan")
