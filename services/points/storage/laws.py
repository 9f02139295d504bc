"""What a law of the ledger is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """Something that holds of every ledger that is in order; its statement finds breaches."""

    words: str
    statement: str
