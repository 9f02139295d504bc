"""QR images: plain https links, so that any camera and any decoder reads them (LS-16, LS-17)."""

from __future__ import annotations

import functools
import io

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathFillImage
from starlette.responses import Response

# Modules of white around the code; scanners need four (ISO/IEC 18004).
BORDER_MODULES = 4
# 10 pixels a module: about 4 cm on paper at 300 dpi, and sharp on any screen.
PNG_SCALE = 10
# Longer links make codes that old cameras cannot resolve.
LINK_LENGTH_MAX = 512


@functools.lru_cache(maxsize=256)
def png(link: str, *, scale: int = PNG_SCALE) -> bytes:
    """The link as a PNG of `scale` pixels a module; the same link gives the same bytes (LS-07)."""
    image = _code(link, scale).make_image()
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


@functools.lru_cache(maxsize=256)
def svg(link: str) -> bytes:
    """The link as an SVG drawing, for print at any size."""
    image = _code(link, PNG_SCALE).make_image(image_factory=SvgPathFillImage)
    out = io.BytesIO()
    image.save(out)
    return out.getvalue()


def _code(link: str, scale: int) -> qrcode.QRCode:
    if len(link) > LINK_LENGTH_MAX:
        raise ValueError("too long for a code that old cameras can read")
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, box_size=scale, border=BORDER_MODULES)
    code.add_data(link)
    code.make(fit=True)
    return code


def response(link: str, kind: str) -> Response:
    """The image as an answer for those who are signed in; `kind` is png or svg."""
    content, media_type = (
        (svg(link), "image/svg+xml") if kind == "svg" else (png(link), "image/png")
    )
    return Response(content, media_type=media_type, headers={"cache-control": "private, no-cache"})
