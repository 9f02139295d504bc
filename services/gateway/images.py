"""Pictures that staff upload: decoded far from us, made small, drawn anew (reliability 2, 15).

The bytes that came are never kept or served. A child process with little memory and time opens
them, in two formats only, and hands back a picture without metadata.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

UPLOAD_BYTES_MAX = 5 * 1024 * 1024
# An offer's photograph fills a phone's width, sharp on the screens that most have.
OFFER_EDGE_PIXELS = 800
DECODE_SECONDS_MAX = 10.0
# Two pictures at a time: each may take a fifth of a gigabyte.
_AT_ONCE = asyncio.Semaphore(2)
_WORKER = Path(__file__).with_name("image_worker.py")


class ImageRefused(Exception):
    """These bytes are not a picture that we take; `reason` is `size`, `format` or `pixels`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture of our own making."""

    content: bytes
    media_type: str


async def redraw(uploaded: bytes, *, edge_pixels: int, photo: bool = False) -> Image:
    """The uploaded PNG, JPEG or WebP as a clean PNG of at most `edge_pixels` a side.

    With `photo` as a WebP that is light enough for phones; both keep what is transparent.
    Refuses with `ImageRefused`: too many bytes, another format, broken, or too many pixels.
    """
    if not uploaded or len(uploaded) > UPLOAD_BYTES_MAX:
        raise ImageRefused("size")
    async with _AT_ONCE:
        # -I: the child sees neither our environment's Python settings nor our folders.
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(_WORKER),
            str(edge_pixels),
            "WEBP" if photo else "PNG",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        try:
            async with asyncio.timeout(DECODE_SECONDS_MAX):
                drawn, _ = await child.communicate(uploaded)
        except TimeoutError:
            raise ImageRefused("pixels") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
    if child.returncode == 3:
        raise ImageRefused("pixels")
    if child.returncode != 0 or not drawn:
        raise ImageRefused("format")
    return Image(content=drawn, media_type="image/webp" if photo else "image/png")
