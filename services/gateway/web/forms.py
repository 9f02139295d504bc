"""What a visitor posts: fields of a form, and a refusal put beside the field that caused it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4, uuid5

from fastapi import Request
from starlette.datastructures import UploadFile

from services.chassis.errors import RemoteRefusal
from services.gateway.errors import ApiError, from_exception
from services.gateway.web.i18n import translate

# Longer than any name, address or text that we ask for.
FIELD_LENGTH_MAX = 1000
# The shortest numbers that people can be called by, without their country's code.
PHONE_DIGITS_MIN = 7
_EMAIL_SHAPE = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_PHONE_SHAPE = re.compile(r"[0-9\s().+/\u2010-\u2015\u00a0-]{1,40}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,9}")
_AMOUNT = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,2}))?")


def wants_json(request: Request) -> bool:
    """Whether a script of ours asks, which puts the answer into the page by itself."""
    return "application/json" in request.headers.get("accept", "")


class Fields(dict[str, str]):
    """The text fields of a posted form; a missing one is empty."""

    def __missing__(self, key: str) -> str:
        return ""

    def text(self, name: str) -> str:
        """A field without the spaces around it."""
        return self[name].strip()

    @property
    def key(self) -> str:
        """The idempotency key of what was posted.

        It follows from the key that was made with the page and from the fields: the same form sent
        twice counts once, and a form that was corrected and sent again is another one.
        """
        try:
            made_with_page = UUID(self["k"])
        except ValueError:
            return new_key()
        said = "\x00".join(f"{name}={value}" for name, value in sorted(self.items()))
        return str(uuid5(made_with_page, said))


def new_key() -> str:
    """An idempotency key for one form on one page: sent twice, it counts once."""
    return str(uuid4())


async def read_fields(request: Request, *, fields_max: int = 40) -> Fields:
    """The text fields of a posted form, cut to a sensible length, without NUL characters."""
    form = await request.form(max_files=1, max_fields=fields_max)
    return Fields(
        {
            name: value[:FIELD_LENGTH_MAX].replace("\x00", "")
            for name, value in form.items()
            if not isinstance(value, UploadFile)
        }
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Problems:
    """What stands in the way of a form: beside fields, and above the whole form."""

    fields: Mapping[str, str] = field(default_factory=dict)
    form: str = ""
    status: int = 400
    retry_after_seconds: int = 0

    def __bool__(self) -> bool:
        return bool(self.fields or self.form)


NO_PROBLEMS = Problems()


def problems_of(
    refusal: RemoteRefusal | ApiError, language: str, *, shown: Mapping[str, str] | None = None
) -> Problems:
    """A refusal in the visitor's words; `shown` maps a service's field to the form's field."""
    told = from_exception(refusal)
    words = told.told(language)
    name = (shown or {}).get(refusal.field, "")
    return Problems(
        fields={name: words} if name else {},
        form="" if name else words,
        status=told.status,
        retry_after_seconds=told.retry_after_seconds,
    )


def whole_number(text: str, language: str, name: str) -> tuple[int, Problems]:
    """A whole number of 1 or more as typed; words beside the field when it is not one (M10)."""
    if _WHOLE_NUMBER.fullmatch(text) and int(text) >= 1:
        return int(text), NO_PROBLEMS
    words = translate(language, "Entrez un nombre entier de 1 ou plus.")
    return 0, Problems(fields={name: words})


def amount_minor(text: str, language: str, name: str) -> tuple[int, Problems]:
    """An amount above zero as typed, in minor units; words beside the field when it is none."""
    found = _AMOUNT.fullmatch(text.replace("$", "").replace("\u00a0", "").replace(" ", ""))
    minor = int(found[1]) * 100 + int((found[2] or "0").ljust(2, "0")) if found else 0
    if minor > 0:
        return minor, NO_PROBLEMS
    return 0, Problems(fields={name: translate(language, "Entrez un montant, par exemple 20.")})


def typed_amount(minor: int, language: str) -> str:
    """An amount as a field of a form shows it: "20" or "12,50"."""
    whole, cents = divmod(minor, 100)
    return f"{whole}{',' if language == 'fr' else '.'}{cents:02d}" if cents else str(whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """An address as typed: a phone or an e-mail."""

    phone: str = ""
    email: str = ""


def contact_of(typed: str) -> Contact:
    """Tells an e-mail from a phone by its at sign; enrollment judges whether it is a good one."""
    text = typed.strip()
    return Contact(email=text) if "@" in text else Contact(phone=text)


def is_plausible(contact: Contact) -> bool:
    """Whether it could be an address at all, so that a slip of the finger finds nobody new."""
    if contact.email:
        return bool(_EMAIL_SHAPE.fullmatch(contact.email))
    digits = sum(sign.isdigit() for sign in contact.phone)
    return bool(_PHONE_SHAPE.fullmatch(contact.phone)) and digits >= PHONE_DIGITS_MIN


def own_birthday(day: str, month: str) -> str:
    """The birthday that two lists give, as "--MM-DD"; empty unless both are chosen."""
    if not (_WHOLE_NUMBER.fullmatch(day) and _WHOLE_NUMBER.fullmatch(month)):
        return ""
    return f"--{int(month):02d}-{int(day):02d}"
