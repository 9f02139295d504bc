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
from services.messaging.domain.contact import Contact
from services.messaging.domain.delivery import CLASS_OF, Delivery, MessageKind
from services.messaging.domain.provider import Rejected
from services.messaging.domain.standing import MemberAccount
from services.messaging.storage import contacts, message_templates, standings
from services.messaging.templates import Below, Words
from services.messaging.usecases import occasions
from services.messaging.usecases.deps import Deps
from services.messaging.usecases.occasions import Occasion

# "?s=receipt" marks whoever joins by the link in a receipt (D24).
_MARKS: Mapping[MessageKind, str] = {MessageKind.RECEIPT: "?s=receipt"}

# What these said of the balance when they were queued is old news after a night.
_SAY_BALANCE = frozenset({MessageKind.RECEIPT, MessageKind.DEDUCTION})


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
    contact = await _contact(conn, delivery)
    occasion = await occasions.of_delivery(deps, conn, delivery, chain)
    if isinstance(occasion, Rejected):
        return occasion
    below = _below(deps, delivery, chain, contact)
    if below is None:
        return Rejected(reason="postal_address_missing")
    params = {
        "chain": name_of(chain),
        "code": code,
        "link": link_of(deps, chain) + (_MARKS.get(delivery.kind, "") if chain else ""),
        "phone": chain.contact_phone if chain else "",
        "name": contact.given_name if contact else "",
        **delivery.params,
        **occasion.params,
    }
    own = by_language(occasion, await _own(conn, delivery))
    languages = _languages(delivery, contact, chain)
    # Own words were checked when they were saved, on other values: where these do not fit, the
    # given ones are said. Where there are none, this message alone fails and no other waits for it.
    for said in (own, {}):
        with contextlib.suppress(
            TemplateError, ArithmeticError, LookupError, TypeError, ValueError
        ):
            return _render(delivery, languages, params=params, own=said, below=below)
    return Rejected(reason="no_words")


def _render(
    delivery: Delivery,
    languages: list[Language],
    *,
    params: Mapping[str, str],
    own: Mapping[Language, Words],
    below: Below,
) -> Words:
    return templates.render(
        delivery.kind,
        delivery.channel,
        languages,
        answer=delivery.params.get("answer", ""),
        params=params,
        own=own,
        below=below,
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


def by_language(occasion: Occasion, own: Mapping[Language, Words]) -> dict[Language, Words]:
    """The words in each language: those written for the occasion, else the chain's own."""
    found = dict(own)
    if occasion.words is not None:
        found = dict.fromkeys(Language, occasion.words)
    if occasion.english is not None:
        found[Language.EN] = occasion.english
    return found


async def _contact(conn: Connection, delivery: Delivery) -> Contact | None:
    """What only this moment knows of her: name, language, and whether her address is proven."""
    told = (*templates.CUSTOM, MessageKind.ANNOUNCEMENT)
    if delivery.member_id is None or delivery.kind not in told:
        return None
    return await contacts.find_contact(conn, delivery.chain_id, delivery.member_id)


def _below(
    deps: Deps, delivery: Delivery, chain: Chain | None, contact: Contact | None
) -> Below | None:
    """What stands below the words; None where an advertisement has no address to stand there."""
    if delivery.channel is Channel.SMS:
        return templates.NOTHING_BELOW
    confirm = ""
    if (
        delivery.kind is MessageKind.WELCOME
        and contact is not None
        and contact.email == delivery.address
        and not contact.email_verified
    ):
        proof = deps.proofs.make(
            chain_id=contact.chain_id, member_id=contact.member_id, address=contact.email
        )
        confirm = f"{deps.public_url.rstrip('/')}/confirm/{proof}"
    sender = sender_line(chain) if delivery.message_class is MessageClass.MARKETING else ""
    if sender is None:
        return None
    return Below(unsubscribe=unsubscribe_url(deps, delivery), confirm=confirm, sender=sender)


def shown_below(deps: Deps, chain: Chain | None, kind: MessageKind) -> Below:
    """What a preview shows there: the link of nobody, and the address once there is one."""
    message_class = CLASS_OF[kind]
    return Below(
        unsubscribe=(
            "" if message_class is MessageClass.SECURITY else f"{deps.public_url.rstrip('/')}/u/…"
        ),
        sender=(sender_line(chain) or "") if message_class is MessageClass.MARKETING else "",
    )


def sender_line(chain: Chain | None) -> str | None:
    """Who advertises and where she gets her mail; None until the chain has said where."""
    if chain is None or not chain.postal_address:
        return None
    return f"{name_of(chain)}, {chain.postal_address}"


async def settled(conn: Connection, delivery: Delivery) -> Delivery:
    """A status with the balance of now, each program's, the fullest first (SQ-32).

    So too a receipt or a deduction that has waited: what it held back may be old by then. Every
    later attempt says the same: a lookup at the provider goes by the words.
    """
    if delivery.attempts or delivery.member_id is None:
        return delivery
    if delivery.kind in _SAY_BALANCE and delivery.waits_until is not None:
        accounts = await standings.accounts_of(conn, delivery.chain_id, delivery.member_id)
        named = [one for one in accounts if one.program_name == delivery.params.get("program")]
        if len(named) != 1:
            return delivery
        return replace(delivery, params={**delivery.params, "balance": str(named[0].balance)})
    if delivery.kind is not MessageKind.STATUS:
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


def _languages(delivery: Delivery, contact: Contact | None, chain: Chain | None) -> list[Language]:
    """Her language of now; the chain's where she chose none; both for an answer to a stranger.

    A till that enrols her says her language a moment later (D20).
    """
    if contact is not None and contact.language is not None:
        return [contact.language]
    if delivery.language is not None:
        return [delivery.language]
    if delivery.kind is MessageKind.KEYWORD_ANSWER or chain is None:
        return [Language.FR, Language.EN]
    return [chain.language]
