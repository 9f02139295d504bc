"""An offer's picture: its bytes, what they are, and the digest by which phones keep it (LS-56)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from services.offers.domain.errors import ImageInvalid, ImageTooLarge

PICTURE_BYTES_MAX = 1024 * 1024
# Short enough for an address, long enough that two pictures never share it.
DIGEST_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that was drawn anew before it came here."""

    content: bytes
    media_type: str
    digest: str


def checked_picture(content: bytes, media_type: str) -> Picture:
    """The picture with its digest; its first bytes must be those of what it is said to be.

    Whoever uploads never reaches this: the bytes were decoded and drawn anew before, far from any
    service. Refuses with ImageTooLarge, ImageInvalid.
    """
    if len(content) > PICTURE_BYTES_MAX:
        raise ImageTooLarge(params={"bytes_max": str(PICTURE_BYTES_MAX)})
    if not media_type or _kind(content) != media_type:
        raise ImageInvalid
    said = media_type.encode() + b"\x00" + content
    digest = hashlib.sha256(said).hexdigest()[:DIGEST_LENGTH]
    return Picture(content=content, media_type=media_type, digest=digest)


def _kind(content: bytes) -> str:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return ""
