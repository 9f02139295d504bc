"""Decodes one picture from standard input and writes it anew to standard output, then ends.

Runs as a process of its own under tight limits: whatever a hostile file does, it does here.
Arguments: the longest side in pixels; "PNG" for a logo, "WEBP" for a photograph, which is made as
light as phones need. Exit 0: it was written. 2: not a picture that we take. 3: too many pixels.
"""

from __future__ import annotations

import io
import resource
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

MEMORY_BYTES_MAX = 256 * 1024 * 1024
CPU_SECONDS_MAX = 5
PIXELS_MAX = 16_000_000
FORMATS = ("PNG", "JPEG", "WEBP")
# What a photograph may weigh on a slow network; the best quality that stays below is taken.
PHOTO_BYTES_WISHED = 60_000
PHOTO_QUALITIES = (80, 65, 50, 35, 20)


def _saved(picture: Image.Image, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, **how)
    return out.getvalue()


def _photo(picture: Image.Image) -> bytes:
    for quality in PHOTO_QUALITIES:
        drawn = _saved(picture, format="WEBP", quality=quality)
        if len(drawn) <= PHOTO_BYTES_WISHED:
            break
    return drawn


def main() -> int:
    """Read, check the size before decoding, decode, turn upright, shrink, write."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    edge_pixels, wanted = int(sys.argv[1]), sys.argv[2]
    try:
        opened = Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=FORMATS)
        if opened.width * opened.height > PIXELS_MAX:
            return 3
        opened.draft("RGB", (edge_pixels, edge_pixels))
        picture = ImageOps.exif_transpose(opened).convert("RGBA")
        picture.thumbnail((edge_pixels, edge_pixels))
        # A picture of its own: nothing but its pixels comes along.
        clean = Image.new("RGBA", picture.size)
        clean.paste(picture)
        drawn = _photo(clean) if wanted == "WEBP" else _saved(clean, format="PNG", optimize=True)
    except Image.DecompressionBombError:
        return 3
    except MemoryError:
        return 3
    except Exception:  # Whatever a decoder says of a broken file, it is not a picture.
        return 2
    sys.stdout.buffer.write(drawn)
    return 0


if __name__ == "__main__":
    sys.exit(main())
