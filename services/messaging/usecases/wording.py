"""The words of one delivery, made at the moment of sending (ADR 0009)."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from jinja2 import TemplateError

from services.chassis.postgres import Connection
from services.chassis.signing import Unsealable
from services.messaging import templates
from services.messaging.domain.chain import Chain, Language
from services.messaging.domain.consent import Channel, MessageClass
from services.messaging.domain.delivery import Delivery, MessageKind
from services.messaging.domain.provider import Rejected
from services.messaging.domain.standing import MemberAccount
from services.messaging.storage import contacts, message_templates, standings
from services.messaging.templates import Words
from services.messaging.usecases import occasions
from services.messaging.usecases.deps import Deps

# "?s=receipt" marks whoever joins by the link in a receipt (D24).
_MARKS: Mapping[MessageKind, str] = {MessageKind.RECEIPT: "?s=receipt"}


def name_of(chain: Chain | None) -> str:
    """Who speaks."""
    return templates.short_name(chain.name) if chain else templates.PLATFORM_NAME


def link_of(deps: Deps, chain: Chain | None) -> str:
    """Where a member sees her points (SQ-63)."""
    base = deps.public_url.rstrip("/")
    return f"{base}/m/{chain.slug}" if chain else base


def unsubscribe_url(deps: Deps, delivery: Delivery) -> str:
    """The link that stops e-mail of this chain; empty where a message cannot be refused."""
    if delivery.channel is Channel.SMS or delivery.message_class is MessageClass.SECURITY:
        return ""
    token = deps.unsubscribe.sign(delivery.chain_id.bytes + delivery.id.bytes)
    return f"{deps.public_url.rstrip('/')}/u/{token}"


async def words(
    deps: Deps, conn: Connection, delivery: Delivery, chain: Chain | None
) -> Words | Rejected:
    """What the message says: the chain's own words where it has some, else the given ones.

    A one-time code is opened here and nowhere else.
    """
    code = ""
    if delivery.kind is MessageKind.ONE_TIME_CODE:
        try:
            code = deps.sealer.open(delivery.sealed_code or b"").decode("ascii")
        except (Unsealable, UnicodeDecodeError):
            return Rejected(reason="code_unreadable")
    occasion = await occasions.of_delivery(deps, conn, delivery, chain)
    if isinstance(occasion, Rejected):
        return occasion
    params = {
        "chain": name_of(chain),
        "code": code,
        "link": link_of(deps, chain) + (_MARKS.get(delivery.kind, "") if chain else ""),
        **await _members(conn, delivery),
        **delivery.params,
        **occasion.params,
    }
    own = await _own(conn, delivery)
    if occasion.words is not None:
        own = dict.fromkeys(Language, occasion.words)
    if occasion.english is not None:
        own[Language.EN] = occasion.english
    languages = _languages(delivery, chain)
    # Own words were checked when they were saved, on other values: where these do not fit, the
    # given ones are said. Where there are none, this message alone fails and no other waits for it.
    for said in (own, {}):
        with contextlib.suppress(
            TemplateError, ArithmeticError, LookupError, TypeError, ValueError
        ):
            return _render(deps, delivery, languages, params=params, own=said)
    return Rejected(reason="no_words")


def _render(
    deps: Deps,
    delivery: Delivery,
    languages: list[Language],
    *,
    params: Mapping[str, str],
    own: Mapping[Language, Words],
) -> Words:
    return templates.render(
        delivery.kind,
        delivery.channel,
        languages,
        answer=delivery.params.get("answer", ""),
        params=params,
        own=own,
        unsubscribe=unsubscribe_url(deps, delivery),
    )


async def _own(conn: Connection, delivery: Delivery) -> dict[Language, Words]:
    if delivery.kind not in templates.CUSTOM:
        return {}
    found = await message_templates.of_kind(
        conn, delivery.chain_id, delivery.kind, delivery.channel
    )
    return {
        language: Words(subject=subject, body=body) for language, (subject, body) in found.items()
    }


async def _members(conn: Connection, delivery: Delivery) -> dict[str, str]:
    """What only this moment knows: her name."""
    told = (*templates.CUSTOM, MessageKind.ANNOUNCEMENT)
    if delivery.member_id is None or delivery.kind not in told:
        return {}
    contact = await contacts.find_contact(conn, delivery.chain_id, delivery.member_id)
    return {"name": contact.given_name if contact else ""}


async def settled(conn: Connection, delivery: Delivery) -> Delivery:
    """A status with the balance of now, each program's, the fullest first (SQ-32).

    Every later attempt says the same: a lookup at the provider goes by the words.
    """
    if delivery.kind is not MessageKind.STATUS or delivery.attempts or delivery.member_id is None:
        return delivery
    accounts = await standings.accounts_of(conn, delivery.chain_id, delivery.member_id)
    return replace(delivery, params={**delivery.params, **_balances(accounts)})


def sealed(deps: Deps, delivery: Delivery, words: Words | Rejected) -> bytes | None:
    """What a text says, for a lookup to ask for; e-mail cannot be asked for."""
    if delivery.channel is not Channel.SMS or isinstance(words, Rejected):
        return None
    return deps.words.seal(words.body.encode())


def sent(deps: Deps, delivery: Delivery) -> Words | None:
    """What a text said when it was handed over; None where that was not kept."""
    if delivery.sealed_words is None:
        return None
    try:
        return Words(subject="", body=deps.words.open(delivery.sealed_words).decode())
    except (Unsealable, UnicodeDecodeError):
        return None


def _balances(accounts: Sequence[MemberAccount]) -> dict[str, str]:
    told = [
        f"{one.balance} {one.term_one if abs(one.balance) == 1 else one.term_other}".strip()
        for one in accounts
    ]
    if not accounts:
        return {"balance": "0", "term": "", "balances": "0"}
    first = accounts[0]
    term = first.term_one if abs(first.balance) == 1 else first.term_other
    return {"balance": str(first.balance), "term": term, "balances": ", ".join(told)}


def _languages(delivery: Delivery, chain: Chain | None) -> list[Language]:
    """Her language; the chain's where she chose none; both for an answer to a stranger."""
    if delivery.language is not None:
        return [delivery.language]
    if delivery.kind is MessageKind.KEYWORD_ANSWER or chain is None:
        return [Language.FR, Language.EN]
    return [chain.language]
