"""Static files under an address that holds their digest, so that a phone fetches each one once."""

from __future__ import annotations

import functools
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, Request, Response

_FOLDER = Path(__file__).parent / "static"
_DIGEST_CHARACTERS = 12
FOREVER = "public, max-age=31536000, immutable"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """A static file in memory."""

    name: str
    content: bytes
    media_type: str
    digest: str

    @property
    def path(self) -> str:
        """Where a page finds it."""
        return f"/static/{self.digest}/{self.name}"


@functools.cache
def assets() -> dict[str, Asset]:
    """Every static file by its name, read once; there are few and they are small."""
    found = {}
    for file in sorted(_FOLDER.rglob("*")):
        if file.is_file():
            name = file.relative_to(_FOLDER).as_posix()
            content = file.read_bytes()
            found[name] = Asset(
                name=name,
                content=content,
                media_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
                digest=hashlib.sha256(content).hexdigest()[:_DIGEST_CHARACTERS],
            )
    return found


def static(name: str) -> str:
    """The address of a static file; a name that does not exist is a mistake of ours."""
    return assets()[name].path


@router.get("/static/{digest}/{name:path}", name="static_asset")
async def static_asset(request: Request, digest: str, name: str) -> Response:
    """A static file. An old digest gets the file of today, which it must not keep."""
    asset = assets().get(name)
    if asset is None:
        return Response(status_code=404)
    current = digest == asset.digest
    etag = f'"{asset.digest}"'
    headers = {"cache-control": FOREVER if current else "no-cache", "etag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)
