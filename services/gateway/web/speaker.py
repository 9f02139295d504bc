"""Who speaks to somebody: a chain, in a language, with what it takes to look things up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loyalty.enrollment.v1.enrollment_pb2 import Chain

from services.gateway.deps import Deps
from services.gateway.web import i18n


class Speaker(Protocol):
    """A desk at the panel, or a voice for anybody else."""

    @property
    def deps(self) -> Deps: ...
    @property
    def chain(self) -> Chain: ...
    @property
    def language(self) -> str: ...
    @property
    def chain_id(self) -> str: ...

    def say(self, words: str, **params: object) -> str:
        """French words in the listener's language."""

    def count(self, one: str, many: str, number: int) -> str:
        """Same for words with a number."""

    def number(self, value: int) -> str:
        """A whole number as the listener writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A chain speaking in a language."""

    deps: Deps
    chain: Chain
    language: str

    @property
    def chain_id(self) -> str:
        """The chain that speaks."""
        return self.chain.id

    def say(self, words: str, **params: object) -> str:
        """French words in the listener's language."""
        return i18n.translate(self.language, words, **params)

    def count(self, one: str, many: str, number: int) -> str:
        """Same for words with a number."""
        return i18n.translate_count(self.language, one, many, number)

    def number(self, value: int) -> str:
        """A whole number as the listener writes it."""
        return i18n.format_number(value, self.language)
