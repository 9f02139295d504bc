"""The names that the words of each kind of message may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.messaging.domain.delivery import MessageKind

_ALWAYS = ("chain", "link", "name")
_OF_KIND: Final[Mapping[MessageKind, tuple[str, ...]]] = {
    MessageKind.KEYWORD_ANSWER: ("phone", "keyword"),
    MessageKind.WELCOME: ("points", "term", "balance"),
    MessageKind.RECEIPT: ("points", "term", "balance", "program", "first"),
    MessageKind.STATUS: ("balance", "term", "balances"),
    MessageKind.DEDUCTION: ("points", "term", "balance", "program"),
    MessageKind.TIER_CHANGE: ("tier", "risen", "program"),
    MessageKind.EXPIRY_WARNING: ("points", "term", "last_day", "balance", "program"),
    MessageKind.COLLECT_EMAIL: ("points", "term"),
    MessageKind.OFFER: ("offer", "description", "exclusion", "until"),
    MessageKind.BIRTHDAY: ("offer", "description", "exclusion", "until"),
}


def variables(kind: MessageKind) -> tuple[str, ...]:
    """The names that words of this kind may use."""
    return (*_ALWAYS, *_OF_KIND.get(kind, ()))
