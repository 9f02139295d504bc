"""The ids of what is loaded by the set: PostgreSQL computes the same from a number."""

from __future__ import annotations

from hashlib import md5

# `SQL.format("account")`: the id of the account at `place`.
SQL = "md5('{}-' || place)::uuid"


def account_id(place: int) -> str:
    """The id of a loaded account."""
    text = md5(b"account-%d" % place, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
