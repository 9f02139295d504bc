"""What a birthday message or a send says, looked up when it leaves: words and offer (LS-67)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from services.chassis.postgres import Connection
from services.messaging import templates
from services.messaging.domain.chain import Chain
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import Delivery, MessageKind
from services.messaging.domain.offer import OfferCopy, OfferId
from services.messaging.domain.provider import Rejected
from services.messaging.domain.schedule import (
    NO_WORDS,
    ScheduledId,
    ScheduledWords,
    has_schedules,
)
from services.messaging.domain.send import SendId
from services.messaging.storage import offers, schedules, sends
from services.messaging.templates import Words
from services.messaging.usecases import holding
from services.messaging.usecases.deps import Deps

_NAMES_LINK = re.compile(r"\blink\b")
# By which way somebody came who joins by the link (D24).
_MARKS: Mapping[Channel, str] = {Channel.SMS: "sms", Channel.EMAIL: "mail"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Words that were written for it, None where the chain's usual ones are meant, and values."""

    words: Words | None
    params: Mapping[str, str]
    # For those who read English, where something was written for them.
    english: Words | None = None


NOTHING = Occasion(words=None, params={})


async def of_delivery(
    deps: Deps, conn: Connection, delivery: Delivery, chain: Chain | None
) -> Occasion | Rejected:
    """What a delivery has to say; Rejected where its cause was taken back or held meanwhile."""
    if chain is None:
        return NOTHING
    if send_id := delivery.params.get("send_id"):
        return await _of_send(deps, conn, delivery, chain, SendId(UUID(send_id)))
    if not (scheduled_id := delivery.params.get("scheduled_id")):
        return NOTHING
    message = await schedules.find(conn, chain.chain_id, ScheduledId(UUID(scheduled_id)))
    if message is None or not message.enabled:
        return Rejected(reason="message_withdrawn")
    if not has_schedules(chain):
        return Rejected(reason="plan_required")
    offer = await _running_offer(deps, conn, chain, message.offer_id)
    words, english = message.words, message.english
    return said(deps, delivery.kind, delivery.channel, chain, words, english, offer=offer)


async def is_stopped(conn: Connection, delivery: Delivery) -> bool:
    """Whether it belongs to a send that was stopped, for the time when its turn comes.

    A provider may have had it in hand when it was, and not have taken it.
    """
    send_id = delivery.params.get("send_id")
    return bool(send_id) and await sends.is_stopped(conn, delivery.chain_id, SendId(UUID(send_id)))


async def _of_send(
    deps: Deps, conn: Connection, delivery: Delivery, chain: Chain, send_id: SendId
) -> Occasion | Rejected:
    found = await sends.words_of(conn, chain.chain_id, send_id)
    if found is None:
        return Rejected(reason="message_withdrawn")
    offer_id, words, english = found
    offer: OfferCopy | None = None
    if offer_id is not None:
        offer = await offers.find(conn, chain.chain_id, offer_id)
        if offer is None:
            return Rejected(reason="offer_gone")
        if offer.is_over(holding.today(deps, chain)):
            return Rejected(reason="offer_ended")
    return said(deps, delivery.kind, delivery.channel, chain, words, english, offer=offer)


def said(
    deps: Deps,
    kind: MessageKind,
    channel: Channel,
    chain: Chain,
    words: ScheduledWords,
    english: ScheduledWords = NO_WORDS,
    *,
    offer: OfferCopy | None,
) -> Occasion:
    """What a message says on a channel: by this both a preview and the message itself are made.

    An announcement or a birthday wish that was written for one channel says the same on the other.
    """
    if kind is not MessageKind.OFFER:
        subject = "{{ chain }}"
        if kind is MessageKind.BIRTHDAY:
            subject = templates.given_words(kind, Channel.EMAIL, chain.language).subject
        words = _on_every_channel(words, subject=subject)
        english = _on_every_channel(english, subject=subject)
    found = occasion(deps, channel, chain, words, offer)
    return replace(found, english=occasion(deps, channel, chain, english, offer).words)


def _on_every_channel(words: ScheduledWords, *, subject: str) -> ScheduledWords:
    if not words.sms_body and not words.email_body:
        return words
    return ScheduledWords(
        sms_body=words.sms_body or words.email_body,
        email_subject=words.email_subject or subject,
        email_body=words.email_body or words.sms_body,
    )


async def _running_offer(
    deps: Deps, conn: Connection, chain: Chain, offer_id: OfferId | None
) -> OfferCopy | None:
    """The offer of a message, if somebody can take it on this day (LS-52)."""
    if offer_id is None:
        return None
    offer = await offers.find(conn, chain.chain_id, offer_id)
    return offer if offer is not None and offer.runs_on(holding.today(deps, chain)) else None


def offer_link(deps: Deps, channel: Channel, chain: Chain, offer_id: OfferId) -> str:
    """Where an offer is taken (LS-53)."""
    base = f"{deps.public_url.rstrip('/')}/m/{chain.slug}"
    return f"{base}/offers/{offer_id}?s={_MARKS[channel]}"


def occasion(
    deps: Deps, channel: Channel, chain: Chain, written: ScheduledWords, offer: OfferCopy | None
) -> Occasion:
    """Words and values for one channel; an offer's link is added where the words name none."""
    params: dict[str, str] = {}
    if offer is not None:
        link = offer_link(deps, channel, chain, offer.offer_id)
        params = {**offer.params, "link": link}
    body = written.sms_body if channel is Channel.SMS else written.email_body
    if not body:
        return Occasion(words=None, params=params)
    if offer is not None and _NAMES_LINK.search(body) is None:
        body += " {{ link }}" if channel is Channel.SMS else "\n\n{{ link }}"
    subject = "" if channel is Channel.SMS else written.email_subject
    return Occasion(words=Words(subject=subject, body=body), params=params)
