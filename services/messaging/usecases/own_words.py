"""Words of a chain's own: listed, saved, taken back, previewed (LS-68)."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.postgres import Connection, in_transaction
from services.messaging import templates
from services.messaging.domain.chain import ChainId, Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.errors import TemplateUnknown
from services.messaging.domain.offer import OfferId
from services.messaging.storage import contacts
from services.messaging.storage import message_templates as rows
from services.messaging.templates import Preview, Words
from services.messaging.usecases import occasions, wording
from services.messaging.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageTemplate:
    """Words for one kind, channel and language."""

    kind: MessageKind
    channel: Channel
    language: Language
    words: Words
    # False: the given words.
    own: bool


async def list_templates(deps: Deps, chain_id: ChainId) -> list[MessageTemplate]:
    """Every message whose words a chain may choose, with its own words or the given ones."""

    async def work(conn: Connection) -> list[MessageTemplate]:
        own = await rows.of_chain(conn, chain_id)
        found: list[MessageTemplate] = []
        for kind in templates.CUSTOM:
            for channel in Channel:
                for language in Language:
                    template = _template(
                        kind, channel, language, own.get((kind, channel, language))
                    )
                    found += [template] if template else []
        return found

    return await in_transaction(deps.pool, work)


def _template(
    kind: MessageKind, channel: Channel, language: Language, own: rows.OwnWords | None
) -> MessageTemplate | None:
    try:
        words = templates.given_words(kind, channel, language)
    except TemplateUnknown:
        return None
    if own is not None:
        words = Words(subject=own[0], body=own[1])
    return MessageTemplate(
        kind=kind, channel=channel, language=language, words=words, own=own is not None
    )


async def set_template(
    deps: Deps, chain_id: ChainId, template: MessageTemplate
) -> tuple[MessageTemplate, tuple[str, ...]]:
    """Keep words of a chain's own, with what it should know of them (LS-68). Repeatable.

    Refuses with TemplateUnknown and TemplateInvalid.
    """
    templates.given_words(template.kind, template.channel, template.language)
    templates.check(template.kind, template.channel, template.words)
    saved = MessageTemplate(
        kind=template.kind,
        channel=template.channel,
        language=template.language,
        words=_words(template),
        own=True,
    )

    async def work(conn: Connection) -> tuple[str, ...]:
        await rows.put(
            conn,
            chain_id,
            saved.kind,
            saved.channel,
            saved.language,
            words=(saved.words.subject, saved.words.body),
            at=deps.clock.real_now(),
        )
        return (await _preview(deps, conn, chain_id, saved)).warnings

    return saved, await in_transaction(deps.pool, work)


def _words(template: MessageTemplate) -> Words:
    if template.channel is Channel.SMS:
        return Words(subject="", body=template.words.body)
    return template.words


async def reset_template(
    deps: Deps, chain_id: ChainId, kind: MessageKind, channel: Channel, language: Language
) -> MessageTemplate:
    """Back to the given words. Repeatable. Refuses with TemplateUnknown."""
    words = templates.given_words(kind, channel, language)

    async def work(conn: Connection) -> None:
        await rows.drop(conn, chain_id, kind, channel, language)

    await in_transaction(deps.pool, work)
    return MessageTemplate(kind=kind, channel=channel, language=language, words=words, own=False)


async def preview_message(deps: Deps, chain_id: ChainId, template: MessageTemplate) -> Preview:
    """How words read, how long they are and what they cost in messages; sends nothing.

    Empty words are those of the chain. Refuses with TemplateUnknown and TemplateInvalid.
    """

    async def work(conn: Connection) -> Preview:
        shown = template
        if not template.words.body and not template.words.subject:
            own = await rows.of_kind(conn, chain_id, template.kind, template.channel)
            given = templates.given_words(template.kind, template.channel, template.language)
            kept = own.get(template.language)
            shown = MessageTemplate(
                kind=template.kind,
                channel=template.channel,
                language=template.language,
                words=Words(subject=kept[0], body=kept[1]) if kept else given,
                own=kept is not None,
            )
        templates.check(shown.kind, shown.channel, shown.words)
        return await _preview(deps, conn, chain_id, shown)

    return await in_transaction(deps.pool, work)


async def _preview(
    deps: Deps, conn: Connection, chain_id: ChainId, template: MessageTemplate
) -> Preview:
    chain = await contacts.find_chain(conn, chain_id)
    link = wording.link_of(deps, chain)
    if chain is not None and template.kind is MessageKind.OFFER:
        # No offer is chosen yet; its link will be as long as this one.
        link = occasions.offer_link(deps, template.channel, chain, OfferId(chain.chain_id))
    return templates.preview(
        template.kind,
        template.channel,
        template.language,
        template.words,
        params={"chain": wording.name_of(chain), "link": link},
        below=wording.shown_below(deps, chain, template.kind),
    )
