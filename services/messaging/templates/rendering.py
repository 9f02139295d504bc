"""Words made of a template and its values, in a sandbox.

Values are data, never templates: they lose control characters and line breaks, so that a name
cannot write a header or a second line. What a template may contain is checked when it is saved
(`checking`); time and length are bounded by that, and by what is cut here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from services.messaging.domain import segments
from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel, MessageClass
from services.messaging.domain.delivery import CLASS_OF, MessageKind
from services.messaging.templates import given
from services.messaging.templates.names import variables

# Who speaks where no single chain does (D26).
PLATFORM_NAME = "Mèche"
# A longer name would push a welcome into another segment.
NAME_LENGTH_MAX = 60
# An offer's description is the longest value there is.
VALUE_LENGTH_MAX = 2_000
# Ten segments of GSM-7; no provider takes more.
SMS_LENGTH_MAX = 1_530
EMAIL_LENGTH_MAX = 100_000
SUBJECT_LENGTH_MAX = 250
TEMPLATES_KEPT = 512

NUMBERS = frozenset({"points", "balance"})
SWITCHES = frozenset({"first", "risen"})
DATES = frozenset({"last_day", "until"})

_MONTHS_FR = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_MONTHS_EN = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A message as it is read, or the template of one. SMS has no subject."""

    subject: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """What stands below an e-mail, whoever wrote the words above it; empty = nothing."""

    # The link that stops these e-mails, and the one that shows that the address is hers.
    unsubscribe: str = ""
    confirm: str = ""
    # Name and postal address of who sends an advertisement.
    sender: str = ""


NOTHING_BELOW: Final = Below()
_ADVERTISES = frozenset(
    kind for kind, message_class in CLASS_OF.items() if message_class is MessageClass.MARKETING
)
# In capitals, as one tells people to text it; "non-stop" is no way to stop.
_NAMES_STOP: Final = re.compile(r"(?<![\w-])(?:STOP|ARRET|ARRÊT)(?![\w-])")

# Nothing here becomes HTML: escaping would put "&amp;" into a salon's name on a phone.
ENVIRONMENT = SandboxedEnvironment(autoescape=False, undefined=StrictUndefined)
# Neither range() nor any other function: what a template may name is what it is given.
ENVIRONMENT.globals.clear()


@lru_cache(maxsize=TEMPLATES_KEPT)
def _template(text: str) -> Template:
    return ENVIRONMENT.from_string(text)


def render(
    kind: MessageKind,
    channel: Channel,
    languages: Sequence[Language],
    *,
    answer: str = "",
    params: Mapping[str, str],
    own: Mapping[Language, Words] | None = None,
    below: Below = NOTHING_BELOW,
) -> Words:
    """The words of a message, one language after the other.

    `answer` says which keyword is answered. `own` are words of the chain's own, by language; where
    there are none the given ones are said. A text that advertises ends with how to stop. Raises
    KeyError where there are no words at all, and jinja2's errors for words that do not render.
    """
    name = answer if kind is MessageKind.KEYWORD_ANSWER else kind.value
    params = {**dict.fromkeys(variables(kind), ""), **params}
    bodies, subjects = [], []
    for language in languages:
        values = {name: _value(name, text, channel, language) for name, text in params.items()}
        words = (own or {}).get(language) or _given(name, channel, language)
        bodies.append(_template(words.body).render(values))
        if channel is Channel.EMAIL:
            subjects.append(one_line(_template(words.subject).render(values)))
            bodies[-1] = "\n\n".join((bodies[-1], *_below(below, language)))
        elif kind in _ADVERTISES:
            bodies[-1] = _with_stop(bodies[-1], language)
    if channel is Channel.SMS:
        return Words(subject="", body=segments.plain("\n".join(bodies))[:SMS_LENGTH_MAX])
    return Words(
        subject=" / ".join(subjects)[:SUBJECT_LENGTH_MAX],
        body="\n\n".join(bodies)[:EMAIL_LENGTH_MAX],
    )


def _below(below: Below, language: Language) -> list[str]:
    links = (
        (given.CONFIRM[language], below.confirm),
        (given.UNSUBSCRIBE[language], below.unsubscribe),
    )
    return [
        *(words.format(url=url) for words, url in links if url),
        *([below.sender] if below.sender else []),
    ]


def _with_stop(body: str, language: Language) -> str:
    """The text with how to stop at its end, unless it says so itself; cut before it, not in it."""
    if _NAMES_STOP.search(body):
        return body
    end = f" {given.STOP[language]}"
    return body.rstrip()[: SMS_LENGTH_MAX - len(end)] + end


def _given(name: str, channel: Channel, language: Language) -> Words:
    return Words(
        subject=given.SUBJECTS[name, channel, language] if channel is Channel.EMAIL else "",
        body=given.BODIES[name, channel, language],
    )


def _value(name: str, text: str, channel: Channel, language: Language) -> str | int | bool:
    """What a template's name stands for: numbers as numbers, days as people write them."""
    if name in NUMBERS:
        return int(text) if text else 0
    if name in SWITCHES:
        return bool(text)
    if name in DATES and text:
        written = day(date.fromisoformat(text), language)
        # In a text "août" would cost the message its alphabet; "aout" is the spelling of 1990.
        return written.replace("û", "u") if channel is Channel.SMS else written
    if name == "program" and text in given.UNNAMED_PROGRAM.values():
        return given.UNNAMED_PROGRAM[language]
    return one_line(text)[:VALUE_LENGTH_MAX]


def day(which: date, language: Language) -> str:
    """A day as it is written: "31 janvier 2027", "January 31, 2027"."""
    if language is Language.EN:
        return f"{_MONTHS_EN[which.month - 1]} {which.day}, {which.year}"
    number = "1er" if which.day == 1 else str(which.day)
    return f"{number} {_MONTHS_FR[which.month - 1]} {which.year}"


def short_name(name: str) -> str:
    """A chain's name as a message has room for it."""
    text = one_line(name)
    return text if len(text) <= NAME_LENGTH_MAX else f"{text[: NAME_LENGTH_MAX - 3].rstrip()}..."


def one_line(value: str) -> str:
    """A text without control characters and line breaks, its spaces single."""
    shown = "".join(
        " " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign for sign in value
    )
    return " ".join(shown.split())
