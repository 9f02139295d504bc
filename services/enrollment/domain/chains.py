"""Chains and salons: what they are and what may be said about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from itertools import count, islice

from services.enrollment.domain.errors import ColorInvalid, LogoInvalid, SlugInvalid
from services.enrollment.domain.ids import ChainId, SalonId
from services.enrollment.domain.text import fold, read_line, read_name

SLUG_LENGTH_MIN = 2
SLUG_LENGTH_MAX = 40
# How many names after the first one are tried (`figaro-2`, `figaro-3` …) before chance decides.
SLUG_CANDIDATES_MAX = 20
SALON_ADDRESS_LENGTH_MAX = 200
SALON_PHONE_LENGTH_MAX = 40
# As long as a salon's: it often is one.
POSTAL_ADDRESS_LENGTH_MAX = SALON_ADDRESS_LENGTH_MAX
CONTACT_PHONE_LENGTH_MAX = SALON_PHONE_LENGTH_MAX
# Nobody lives there; a sandbox can try its e-mails without an address being made up for it.
SANDBOX_POSTAL_ADDRESS = "555, rue de l’Essai, Montréal (Québec) H0H 0H0"
# Bounds what one page and one backup hold; the largest salon groups have some thousands.
SALONS_MAX = 5_000
LOGO_BYTES_MAX = 256 * 1024
BRAND_COLOR_DEFAULT = "#7a1f3d"

_SLUG_FORM = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_COLOR_FORM = re.compile(r"#[0-9a-fA-F]{6}", re.ASCII)
# Words that stand, or may one day stand, in addresses of the platform itself.
# fmt: off
RESERVED_SLUGS = frozenset({
    "about", "account", "accounts", "admin", "api", "app", "apps", "assets", "auth", "billing",
    "blog", "chain", "chains", "contact", "css", "dashboard", "docs", "download", "downloads",
    "error", "errors", "favicon", "feed", "files", "fonts", "healthz", "help", "icons",
    "images", "img", "index", "internal", "join", "js", "legal", "live", "login", "logout", "m",
    "manage", "manifest", "me", "media", "member", "members", "messages", "metrics", "new",
    "null", "offers", "openapi", "operator", "operators", "panel", "platform", "privacy",
    "program", "programs", "qr", "readyz", "register", "reports", "rewards", "robots", "root",
    "sandbox", "scan", "security", "settings", "sign-in", "sign-out", "signin", "signout",
    "signup", "staff", "static", "status", "support", "sw", "system", "t", "tablet", "tablets",
    "terms", "token", "tokens", "undefined", "upload", "uploads", "v1", "v2", "v3", "version",
    "webhook", "webhooks", "well-known", "www",
})
# fmt: on


class Plan(StrEnum):
    """What the chain pays for."""

    PARTANT = "partant"
    ESSENTIEL = "essentiel"
    PRO = "pro"


class Language(StrEnum):
    """A language that the product speaks."""

    FR = "fr"
    EN = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """An owner of programs and salons. Its version grows with every change of its state."""

    id: ChainId
    slug: str
    name: str
    plan: Plan
    sandbox: bool
    home_time_zone: str
    currency: str
    language: Language
    brand_color: str
    logo_media_type: str
    logo_digest: str
    # Below every e-mail that advertises; empty until somebody says it.
    postal_address: str
    # How customers reach the chain, as it is shown.
    contact_phone: str
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Salon:
    """A place of a chain, with a time zone of its own."""

    id: SalonId
    chain_id: ChainId
    name: str
    time_zone: str
    address: str
    phone: str
    active: bool
    created_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Logo:
    """An image that was already made anew by whoever received it; empty = no logo."""

    image: bytes
    media_type: str


NO_LOGO = Logo(image=b"", media_type="")


def read_slug(text: str, *, field: str) -> str:
    """A web name that somebody chose. Refuses with `SlugInvalid`, for reserved words too."""
    slug = text.strip().lower()
    if (
        not SLUG_LENGTH_MIN <= len(slug) <= SLUG_LENGTH_MAX
        or _SLUG_FORM.fullmatch(slug) is None
        or slug in RESERVED_SLUGS
    ):
        raise SlugInvalid(field=field)
    return slug


def slugs_of(name: str, *, chance: str) -> Iterator[str]:
    """Web names made from a chain's name, the nicest first; the last one holds `chance`."""
    words = re.findall(r"[a-z0-9]+", fold(name).replace("&", " "), re.ASCII)
    stem = "-".join(words)[: SLUG_LENGTH_MAX - len(chance) - 1].strip("-") or "salon"
    numbered = (stem if number == 1 else f"{stem}-{number}" for number in count(1))
    for slug in islice(numbered, SLUG_CANDIDATES_MAX):
        if len(slug) >= SLUG_LENGTH_MIN and slug not in RESERVED_SLUGS:
            yield slug
    yield f"{stem}-{chance}"


def read_color(text: str, *, field: str) -> str:
    """A brand colour in the form #rrggbb, lower case. Refuses with `ColorInvalid`."""
    color = text.strip()
    if _COLOR_FORM.fullmatch(color) is None:
        raise ColorInvalid(field=field)
    return color.lower()


def read_logo(*, image: bytes, media_type: str, field: str) -> Logo:
    """A logo whose bytes are what its media type says. Refuses with `LogoInvalid`.

    It was decoded and encoded anew before it came here; this looks only at size and first bytes.
    """
    if not image:
        return NO_LOGO
    is_png = media_type == "image/png" and image.startswith(b"\x89PNG\r\n\x1a\n")
    is_webp = media_type == "image/webp" and image[:4] == b"RIFF" and image[8:12] == b"WEBP"
    if len(image) > LOGO_BYTES_MAX or not (is_png or is_webp):
        raise LogoInvalid(field=field, params={"max": str(LOGO_BYTES_MAX)})
    return Logo(image=image, media_type=media_type)


def read_salon_address(text: str) -> str:
    """Where a salon is, as it is shown."""
    return read_line(text, field="address", length_max=SALON_ADDRESS_LENGTH_MAX)


def read_salon_phone(text: str) -> str:
    """How a salon is called, as it is shown; never dialled by us."""
    return read_line(text, field="phone", length_max=SALON_PHONE_LENGTH_MAX)


def changed_chain(
    chain: Chain,
    *,
    name: str | None,
    brand_color: str | None,
    language: Language | None,
    logo: Logo | None,
    logo_digest: str,
    postal_address: str | None = None,
    contact_phone: str | None = None,
) -> Chain:
    """The chain with what is given changed; the same version when nothing differs."""
    new = replace(
        chain,
        name=chain.name if name is None else read_name(name, field="name", required=True),
        brand_color=chain.brand_color
        if brand_color is None
        else read_color(brand_color, field="brand_color"),
        language=chain.language if language is None else language,
        logo_media_type=chain.logo_media_type if logo is None else logo.media_type,
        logo_digest=chain.logo_digest if logo is None else logo_digest,
        postal_address=chain.postal_address
        if postal_address is None
        else read_line(
            postal_address, field="postal_address", length_max=POSTAL_ADDRESS_LENGTH_MAX
        ),
        contact_phone=chain.contact_phone
        if contact_phone is None
        else read_line(contact_phone, field="contact_phone", length_max=CONTACT_PHONE_LENGTH_MAX),
    )
    return new if new == chain else replace(new, version=chain.version + 1)


def changed_salon(
    salon: Salon,
    *,
    name: str | None,
    time_zone: str | None,
    address: str | None,
    phone: str | None,
    active: bool | None,
) -> Salon:
    """The salon with what is given changed; the same version when nothing differs."""
    new = replace(
        salon,
        name=salon.name if name is None else read_name(name, field="name", required=True),
        time_zone=salon.time_zone if time_zone is None else time_zone,
        address=salon.address if address is None else read_salon_address(address),
        phone=salon.phone if phone is None else read_salon_phone(phone),
        active=salon.active if active is None else active,
    )
    return new if new == salon else replace(new, version=salon.version + 1)
