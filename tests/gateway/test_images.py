"""Pictures that people upload: hostile ones refused, good ones drawn anew (LS-56, LS-86)."""

from __future__ import annotations

import asyncio
import io
import random
import struct
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import pytest
from PIL import Image, features

from services.gateway import image_worker, images

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), **how: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "#b4446c").save(out, format=kind, **how)
    return out.getvalue()


def noise(size: tuple[int, int]) -> bytes:
    """The heaviest photograph of its size."""
    out = io.BytesIO()
    pixels = random.Random(4).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, pixels).save(out, format="PNG")
    return out.getvalue()


def bomb(edge: int = 50_000) -> bytes:
    """A PNG of a few bytes that says it has `edge` pixels a side."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\x00" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr("picture.png", picture())
    return out.getvalue()


HOSTILE = {
    "svg with a script": (SVG, "format"),
    "html as .png": (b"<!doctype html><script>alert(1)</script>", "format"),
    "gif": (picture("GIF"), "format"),
    "gif that is also html": (picture("GIF") + b"<script>alert(1)</script>", "format"),
    "a bomb of 50,000 pixels a side": (bomb(), "pixels"),
    "just too many pixels": (bomb(4001), "pixels"),
    "truncated png": (noise((64, 64))[:4000], "format"),
    "truncated jpeg": (picture("JPEG", (400, 300))[:200], "format"),
    "100 MB": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100_000_000, "size"),
    "nothing": (b"", "size"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "format"),
    "psd": (b"8BPS\x00\x01" + b"\x00" * 200, "format"),
    "fits": (b"SIMPLE  =                    T".ljust(2880), "format"),
    "zip": (archive(), "format"),
    "pdf": (b"%PDF-1.7\n%%EOF", "format"),
    "bmp": (picture("BMP"), "format"),
    "tiff": (picture("TIFF"), "format"),
}


@pytest.mark.parametrize("photo", [False, True])
@pytest.mark.parametrize("name", sorted(HOSTILE))
async def test_a_hostile_upload_is_refused_with_its_reason(name: str, photo: bool) -> None:
    """LS-56, LS-86, reliability 2 number 15."""
    uploaded, reason = HOSTILE[name]
    with pytest.raises(images.ImageRefused) as refused:
        await images.redraw(uploaded, edge_pixels=800, photo=photo)
    assert refused.value.reason == reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("photo", [False, True])
async def test_a_good_picture_is_drawn_anew_within_its_edge(kind: str, photo: bool) -> None:
    """LS-56, LS-86."""
    drawn = await images.redraw(picture(kind, (1600, 1200)), edge_pixels=800, photo=photo)
    opened = Image.open(io.BytesIO(drawn.content))
    assert opened.size == (800, 600)
    assert opened.format == ("WEBP" if photo else "PNG")
    assert drawn.media_type == ("image/webp" if photo else "image/png")


@pytest.mark.parametrize("photo", [False, True])
async def test_where_a_picture_was_taken_does_not_come_along(photo: bool) -> None:
    """LS-56: no EXIF, no GPS, no comment, no profile, and nothing that was put behind it."""
    exif = Image.Exif()
    exif[0x010E] = "chez Alice"
    exif.get_ifd(0x8825)[2] = (45.0, 30.0, 0.0)
    uploaded = picture("JPEG", exif=exif, comment=b"chez Alice") + b"<script>chez Alice</script>"
    assert Image.open(io.BytesIO(uploaded)).getexif()[0x010E] == "chez Alice"
    drawn = await images.redraw(uploaded, edge_pixels=800, photo=photo)
    opened = Image.open(io.BytesIO(drawn.content))
    assert not opened.getexif()
    assert b"Alice" not in drawn.content
    assert b"script" not in drawn.content
    assert not set(opened.info) & {"exif", "comment", "icc_profile", "xmp"}


async def test_a_picture_that_was_taken_sideways_stands_upright() -> None:
    """LS-56: what the camera wrote about its position is obeyed, then forgotten."""
    exif = Image.Exif()
    exif[0x0112] = 6
    drawn = await images.redraw(picture("JPEG", (80, 40), exif=exif), edge_pixels=800, photo=True)
    assert Image.open(io.BytesIO(drawn.content)).size == (40, 80)


async def test_even_the_heaviest_photograph_is_light_enough_for_a_phone() -> None:
    """LS-56: pages stay light on a slow network; pure noise is worse than any photograph."""
    drawn = await images.redraw(noise((900, 900)), edge_pixels=800, photo=True)
    assert len(drawn.content) <= 400_000
    assert features.check("webp")


async def test_ten_bombs_at_once_leave_room_for_the_next_good_picture() -> None:
    """LS-56: two are opened at a time, each in a process that ends."""
    refusals = await asyncio.gather(
        *(images.redraw(bomb(), edge_pixels=800, photo=True) for _ in range(10)),
        return_exceptions=True,
    )
    assert all(isinstance(one, images.ImageRefused) for one in refusals)
    assert (await images.redraw(picture(), edge_pixels=800, photo=True)).content


def test_the_process_that_opens_the_largest_picture_stays_below_its_memory() -> None:
    """LS-56: measured by the kernel on a child of this test, at most 256 MB."""
    edge = int(image_worker.PIXELS_MAX**0.5)
    uploaded = picture("PNG", (edge, edge))
    measured = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], stdin=sys.stdin, stdout=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, done.returncode)\n"
    )
    worker = str(Path(image_worker.__file__))
    said = subprocess.run(
        [sys.executable, "-c", measured, sys.executable, "-I", worker, "800", "WEBP"],
        input=uploaded,
        capture_output=True,
        check=True,
    )
    kilobytes, code = said.stdout.split()
    assert int(kilobytes) <= 256 * 1024
    assert int(code) == 0
