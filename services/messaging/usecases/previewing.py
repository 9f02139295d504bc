"""What would leave, and to how many: made as the messages themselves are made; sends nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis.postgres import Connection, in_transaction
from services.messaging import templates
from services.messaging.domain.audience import Audience, AudienceFilter, checked
from services.messaging.domain.chain import Chain, ChainId, Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.errors import (
    OfferNotFound,
    TemplateInvalid,
    TemplateTooLong,
    TemplateUnknown,
)
from services.messaging.domain.offer import OfferCopy, OfferId
from services.messaging.domain.schedule import ScheduledWords, require_words
from services.messaging.storage import message_templates, offers
from services.messaging.templates import Preview, Words
from services.messaging.usecases import audiences, known, occasions, wording
from services.messaging.usecases.deps import Deps

KINDS = (MessageKind.OFFER, MessageKind.ANNOUNCEMENT, MessageKind.BIRTHDAY)
# A birthday message is for whoever has a birthday.
ANY_BIRTHDAY = Audience(filter=AudienceFilter(birthday_months=tuple(range(1, 13))))


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewSend:
    """A message to many, or a birthday message, as its owner is writing it."""

    chain_id: ChainId
    kind: MessageKind
    offer_id: OfferId | None
    words: ScheduledWords
    english: ScheduledWords
    audience: Audience


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessage:
    """One message as it would arrive, and how many it would reach now."""

    channel: Channel
    language: Language
    preview: Preview
    # False: the chain's usual words.
    written: bool
    reachable: int = 0


async def preview_send(deps: Deps, command: PreviewSend) -> list[ShownMessage]:
    """Each channel and language: the words as they would leave, whom they would reach.

    Refuses with OfferNotFound, WordsRequired for an announcement without words, TemplateInvalid,
    TemplateUnknown for another kind, NumberOutOfRange, AudienceInvalid.
    """
    if command.kind not in KINDS:
        raise TemplateUnknown
    audience = checked(command.audience)
    if command.kind is MessageKind.BIRTHDAY:
        audience = ANY_BIRTHDAY

    async def work(conn: Connection) -> list[ShownMessage]:
        chain = await known.chain(conn, command.chain_id)
        offer: OfferCopy | None = None
        if command.offer_id is not None:
            offer = await offers.find(conn, chain.chain_id, command.offer_id)
            if offer is None:
                raise OfferNotFound
        shown = await shown_messages(
            deps, conn, chain, command.kind, command.words, command.english, offer=offer
        )
        return await _counted(deps, conn, chain, audience, shown)

    return await in_transaction(deps.pool, work)


async def shown_messages(
    deps: Deps,
    conn: Connection,
    chain: Chain,
    kind: MessageKind,
    words: ScheduledWords,
    english: ScheduledWords,
    *,
    offer: OfferCopy | None,
) -> list[ShownMessage]:
    """Every version of a message, none counted. Refuses with WordsRequired, TemplateInvalid."""
    if kind is MessageKind.ANNOUNCEMENT:
        require_words(words)
    found: list[ShownMessage] = []
    for channel in Channel:
        said = occasions.said(deps, kind, channel, chain, words, english, offer=offer)
        if said.words is not None:
            _check(kind, channel, said.words, words)
        if said.english is not None:
            _check(kind, channel, said.english, english, within="english.")
        own = {
            language: Words(subject=subject, body=body)
            for language, (subject, body) in (
                await message_templates.of_kind(conn, chain.chain_id, kind, channel)
            ).items()
        }
        spoken = wording.by_language(said, own)
        for language in Language:
            written = spoken.get(language) or templates.given_words(kind, channel, language)
            found.append(
                ShownMessage(
                    channel=channel,
                    language=language,
                    written=said.words is not None
                    or (said.english is not None and language is Language.EN),
                    preview=templates.preview(
                        kind,
                        channel,
                        language,
                        written,
                        params={
                            "chain": wording.name_of(chain),
                            "link": wording.link_of(deps, chain),
                            **_NO_OFFER,
                            **said.params,
                        },
                        below=wording.shown_below(deps, chain, kind),
                    ),
                )
            )
    return found


_NO_OFFER = dict.fromkeys(("offer", "description", "exclusion", "until"), "")


def _check(
    kind: MessageKind, channel: Channel, said: Words, written: ScheduledWords, within: str = ""
) -> None:
    """Refuse with TemplateInvalid at the field where its owner wrote what does not work."""
    try:
        templates.check(kind, channel, said)
    except TemplateInvalid as invalid:
        by_text = channel is Channel.SMS
        # Words of one channel are said on the other too.
        own = bool(written.sms_body if by_text else written.email_body)
        field = "sms_body" if by_text is own else "email_body"
        if invalid.field == "subject":
            field = "email_subject"
        params = invalid.params
        if isinstance(invalid, TemplateTooLong) and invalid.field == "body":
            # An offer's link may have been added: told is how long its owner's own may be.
            own_body = written.sms_body if field == "sms_body" else written.email_body
            added = len(said.body) - len(own_body)
            params = {"length_max": str(int(params["length_max"]) - added)}
        raise type(invalid)(field=f"{within}{field}", params=params) from None


async def _counted(
    deps: Deps,
    conn: Connection,
    chain: Chain,
    audience: Audience,
    shown: list[ShownMessage],
) -> list[ShownMessage]:
    size = await audiences.size(deps, conn, chain, audience)
    members = {(one.channel, one.language): one.members for one in size.reachable}
    return [replace(one, reachable=members.get((one.channel, one.language), 0)) for one in shown]
