"""Words of a chain's own: what they may contain, and how they will read.

A template may name values, choose with `if`, and nothing else: no loops, no calls, no attributes,
no arithmetic. So its time and its length are bounded by its own length.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from jinja2 import TemplateError, TemplateSyntaxError, nodes

from services.messaging.domain import segments
from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.errors import (
    TemplateEmpty,
    TemplateInvalid,
    TemplateTooLong,
    TemplateUnknown,
)
from services.messaging.templates import given
from services.messaging.templates.names import variables
from services.messaging.templates.rendering import (
    ENVIRONMENT,
    NOTHING_BELOW,
    Below,
    Words,
    render,
)

SMS_TEMPLATE_MAX = 1_000
EMAIL_TEMPLATE_MAX = 10_000
SUBJECT_TEMPLATE_MAX = 200
# Names and choices in one template; each adds one value's length at most.
PIECES_MAX = 60

# Whose words a chain may choose. Security messages are the platform's own; an announcement is
# written anew each time.
CUSTOM: Final[tuple[MessageKind, ...]] = (
    MessageKind.WELCOME,
    MessageKind.RECEIPT,
    MessageKind.STATUS,
    MessageKind.DEDUCTION,
    MessageKind.TIER_CHANGE,
    MessageKind.EXPIRY_WARNING,
    MessageKind.COLLECT_EMAIL,
    MessageKind.OFFER,
    MessageKind.BIRTHDAY,
)
# What a preview shows in place of a member's values.
_SAMPLES: Final[Mapping[str, str]] = {
    "chain": "Salon",
    "link": "https://example.org/m/salon",
    "name": "Alice",
    "points": "12",
    "term": "points",
    "balance": "57",
    "balances": "57 points",
    "program": "Vos points",
    "tier": "Or",
    "first": "",
    "risen": "1",
    "last_day": "2027-01-31",
    "offer": "10 %",
    "description": "10 %",
    "exclusion": "",
    "until": "2027-01-31",
}
_ALLOWED_NODES = (
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Const,
    nodes.If,
    nodes.Compare,
    nodes.Operand,
    nodes.And,
    nodes.Or,
    nodes.Not,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """How words read, and what they cost."""

    words: Words
    # None for an e-mail.
    length: segments.Length | None
    # The letters that make it UCS-2.
    beyond_gsm: str
    warnings: tuple[str, ...]


def given_words(kind: MessageKind, channel: Channel, language: Language) -> Words:
    """The template that is said where a chain has none. Refuses with TemplateUnknown."""
    body = given.BODIES.get((kind.value, channel, language))
    if kind not in CUSTOM or body is None:
        raise TemplateUnknown
    return Words(subject=given.SUBJECTS.get((kind.value, channel, language), ""), body=body)


def check(kind: MessageKind, channel: Channel, words: Words) -> None:
    """Refuse with TemplateInvalid words that are empty, too long, or would not render."""
    limit = SMS_TEMPLATE_MAX if channel is Channel.SMS else EMAIL_TEMPLATE_MAX
    _check_text(words.body, kind=kind, field="body", length_max=limit)
    if channel is Channel.EMAIL:
        _check_text(words.subject, kind=kind, field="subject", length_max=SUBJECT_TEMPLATE_MAX)
    for language in Language:
        for switch in ("", "1"):
            _try(kind, channel, language, words, switch=switch)


def _check_text(text: str, *, kind: MessageKind, field: str, length_max: int) -> None:
    if not text.strip():
        raise TemplateEmpty(field=field)
    if len(text) > length_max:
        raise TemplateTooLong(field=field, params={"length_max": str(length_max)})
    try:
        tree = ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise _invalid(field=field, what=_of_line(text, error.lineno), line=error.lineno) from None
    except (RecursionError, MemoryError):
        raise _invalid(field=field, what=text[:20], line=1) from None
    allowed, pieces = frozenset(variables(kind)), 0
    for node in tree.find_all(nodes.Node):
        pieces += isinstance(node, (nodes.Name, nodes.If, nodes.Compare))
        if not isinstance(node, _ALLOWED_NODES) or pieces > PIECES_MAX:
            raise _invalid(field=field, what=_of_line(text, node.lineno), line=node.lineno)
        if isinstance(node, nodes.Name) and node.name not in allowed:
            raise _invalid(field=field, what=node.name, line=node.lineno)


def _try(
    kind: MessageKind, channel: Channel, language: Language, words: Words, *, switch: str
) -> None:
    """Render both ways of every choice on words: what a comparison cannot do shows here."""
    params = {name: _SAMPLES[name] for name in variables(kind)}
    params |= {name: switch for name in ("first", "risen") if name in params}
    try:
        render(kind, channel, [language], params=params, own={language: words})
    except (TemplateError, TypeError, ValueError, ArithmeticError, RecursionError, SyntaxError):
        raise _invalid(field="body", what=words.body[:20], line=1) from None
    except MemoryError:
        raise _invalid(field="body", what=words.body[:20], line=1) from None


def _of_line(text: str, number: int) -> str:
    lines = text.splitlines() or [""]
    return lines[min(max(number, 1), len(lines)) - 1].strip()[:60]


def _invalid(*, field: str, what: str, line: int) -> TemplateInvalid:
    return TemplateInvalid(field=field, params={"what": what, "line": str(line)})


def preview(
    kind: MessageKind,
    channel: Channel,
    language: Language,
    words: Words,
    *,
    params: Mapping[str, str],
    below: Below = NOTHING_BELOW,
) -> Preview:
    """How words read, how long they are, and what to know of them.

    `params` are the chain's name, its link and whatever is known already; sample values stand for
    what differs from member to member. The words must have passed `check`. A text without
    the salon's name is warned of (LS-68).
    """
    values = {**{name: _SAMPLES[name] for name in variables(kind)}, **params}
    shown = render(kind, channel, [language], params=values, own={language: words}, below=below)
    if channel is Channel.EMAIL:
        return Preview(words=shown, length=None, beyond_gsm="", warnings=())
    length = segments.measured(shown.body)
    beyond = segments.beyond_gsm7(shown.body)
    warnings = [
        *([] if _names(shown.body, values["chain"]) else ["salon_name_missing"]),
        *(["more_than_one_segment"] if length.segments > 1 else []),
        *(["beyond_gsm7"] if beyond else []),
    ]
    return Preview(words=shown, length=length, beyond_gsm=beyond, warnings=tuple(warnings))


def _names(body: str, chain: str) -> bool:
    """Whether a text says the name, however its apostrophes and accents are written."""
    said, name = (segments.plain(text).casefold() for text in (body, chain))
    return name in said
