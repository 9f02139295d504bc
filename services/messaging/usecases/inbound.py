"""Texts that arrive: STOP, YES, HELP, and a chain's keyword.

LS-20, LS-77, LS-79, D19, D26; api.md 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

from services.chassis import outbox
from services.chassis.errors import Unavailable
from services.chassis.postgres import Connection, in_transaction
from services.messaging import events, templates
from services.messaging.domain.chain import PLATFORM, Chain, ChainId, Language, MemberId
from services.messaging.domain.consent import Address, Channel, ConsentRecord, ConsentSource
from services.messaging.domain.contact import Contact
from services.messaging.domain.delivery import (
    ANSWER_AGE_MAX,
    DeliveryId,
    MessageKind,
    NewDelivery,
)
from services.messaging.domain.errors import NotFound
from services.messaging.domain.keywords import Keyword, understood
from services.messaging.domain.text_to_join import ChainNumber, has_own_number
from services.messaging.storage import consents, contacts, deliveries
from services.messaging.storage import numbers as number_rows
from services.messaging.usecases import numbers
from services.messaging.usecases.consent import change_consent
from services.messaging.usecases.deps import Deps

# The evidence of a STOP or YES is the text itself; its beginning is enough.
EVIDENCE_LENGTH_MAX = 160
ANSWERED_AGAIN_AFTER = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSms:
    """A text as the provider hands it over."""

    provider_message_id: str
    # The phone that wrote, and our number that it wrote to; E.164.
    phone: str
    number: str
    body: str
    # Set in the sandbox, whose mailbox belongs to one chain; else the chain whose own number it is.
    chain_id: ChainId | None


async def receive_sms(deps: Deps, command: ReceiveSms) -> Keyword:
    """Do what a text asks for, and answer it, once for each of the provider's message ids.

    STOP works from any phone, member or not. YES has no effect from a phone that no member has.
    In the sandbox the text is for the one chain whose mailbox it is; from the networks a text to
    a chain's own number means that chain, and one to the platform's shared number every chain
    that wrote from it (D26). A chain's keyword asks for its sign-up link (LS-20).

    Refuses with NotFound in the mailbox of a live chain.
    """
    inbox_of = command.chain_id or PLATFORM

    async def work(conn: Connection) -> Keyword:
        meant = await _meant(deps, conn, command)
        keyword = understood(command.body)
        if keyword is Keyword.NONE and _asks_to_join(meant, command.body):
            keyword = Keyword.JOIN
        known = await consents.receive_once(
            conn,
            inbox_of,
            provider_message_id=command.provider_message_id,
            keyword=keyword.value,
        )
        if known is not None:
            return Keyword(known)
        text = command
        if meant.chain is not None:
            number = await numbers.number_of(deps, conn, meant.chain)
            text = replace(
                command,
                chain_id=meant.chain.chain_id,
                number=number if inbox_of != PLATFORM else command.number,
            )
        await _obey(deps, conn, text, keyword, meant)
        return keyword

    return await in_transaction(deps.pool, work)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Meant:
    """Whom a text is for: one chain by its mailbox or its own number, else nobody in particular."""

    chain: Chain | None
    own_number: ChainNumber | None


async def _meant(deps: Deps, conn: Connection, command: ReceiveSms) -> _Meant:
    if command.chain_id is not None:
        chain = await contacts.find_chain(conn, command.chain_id)
        if chain is None:
            raise Unavailable("the chain's event has not arrived yet")
        if not chain.sandbox:
            raise NotFound(field="chain_id")
        # The mailbox belongs to one chain: whatever number was written, the text is for it.
        return _Meant(chain=chain, own_number=await number_rows.find(conn, chain.chain_id))
    own = await number_rows.find_live(conn, command.number)
    if own is None or command.number == deps.sms_number:
        return _Meant(chain=None, own_number=None)
    chain = await contacts.find_chain(conn, own.chain_id)
    if chain is None:
        raise Unavailable("the chain's event has not arrived yet")
    return _Meant(chain=chain, own_number=own)


def _asks_to_join(meant: _Meant, body: str) -> bool:
    return meant.own_number is not None and meant.own_number.asks_to_join(body)


async def _obey(
    deps: Deps, conn: Connection, command: ReceiveSms, keyword: Keyword, meant: _Meant
) -> None:
    if meant.chain is None and command.number != deps.sms_number and keyword is not Keyword.STOP:
        # Nobody speaks from this number; a STOP still means those who once did.
        return
    known = await _contacts(conn, command)
    await _prove(deps, conn, command, known)
    if keyword is Keyword.STOP:
        await _stop(deps, conn, command, known)
    elif keyword is Keyword.START:
        await _start(deps, conn, command, known)
    elif keyword is Keyword.HELP:
        chains = sorted({contact.chain_id for contact in known})
        scope = [command.chain_id] if command.chain_id else chains
        await _answer(deps, conn, command, known, chains=scope, answer=templates.HELP)
    elif keyword is Keyword.JOIN and meant.chain is not None:
        await _invite(deps, conn, command, known, chain=meant.chain)
    elif keyword is Keyword.NONE and meant.own_number is not None and meant.chain is not None:
        await _not_understood(deps, conn, command, known, meant.chain, meant.own_number)


async def _invite(
    deps: Deps,
    conn: Connection,
    command: ReceiveSms,
    known: Sequence[Contact],
    *,
    chain: Chain,
) -> None:
    """Answer the keyword with the sign-up link; a chain that left Pro gives none (examples P2).

    Whoever texts what a poster tells her hears so, once a day.
    """
    if not has_own_number(chain):
        await _answer_once_a_day(
            deps, conn, command, known, chain=chain, answer=templates.NO_MORE_JOINING
        )
        return
    await deliveries.queue(
        conn,
        [
            NewDelivery(
                chain_id=chain.chain_id,
                id=DeliveryId(uuid4()),
                kind=MessageKind.TEXT_TO_JOIN,
                key=command.provider_message_id,
                member_id=_member_in(chain.chain_id, known),
                channel=Channel.SMS,
                address=command.phone,
                language=await _language(conn, [chain.chain_id], known),
                # Made once: a lookup at the provider goes by the words, the link among them.
                params={"link": numbers.join_link(deps, chain, command.phone)},
                sealed_code=None,
                expires_at=deps.clock.real_now() + ANSWER_AGE_MAX,
                occurred_at=deps.clock.now(chain.chain_id),
            )
        ],
        real_now=deps.clock.real_now(),
    )


async def _not_understood(
    deps: Deps,
    conn: Connection,
    command: ReceiveSms,
    known: Sequence[Contact],
    chain: Chain,
    number: ChainNumber,
) -> None:
    """Tell whoever writes to a chain's own number what it understands; no link leaves (LS-20)."""
    keyword = number.keyword if has_own_number(chain) else ""
    await _answer_once_a_day(
        deps, conn, command, known, chain=chain, answer=templates.UNKNOWN, keyword=keyword
    )


async def _answer_once_a_day(
    deps: Deps,
    conn: Connection,
    command: ReceiveSms,
    known: Sequence[Contact],
    *,
    chain: Chain,
    answer: str,
    keyword: str = "",
) -> None:
    """Two machines that answer each other stop after one word; one that said STOP hears nothing."""
    address = Address(chain_id=chain.chain_id, channel=Channel.SMS, value=command.phone)
    standing = await consents.find_standing(conn, address)
    if standing is not None and not standing.granted:
        return
    since = deps.clock.real_now() - ANSWERED_AGAIN_AFTER
    if await deliveries.was_answered(
        conn, chain.chain_id, command.phone, answer=answer, since=since
    ):
        return
    await _answer(
        deps, conn, command, known, chains=[chain.chain_id], answer=answer, keyword=keyword
    )


async def _contacts(conn: Connection, command: ReceiveSms) -> list[Contact]:
    if command.chain_id is not None:
        return await contacts.contacts_by_phone(conn, command.phone, chain_id=command.chain_id)
    return await contacts.live_contacts_by_phone(conn, command.phone)


async def _prove(
    deps: Deps, conn: Connection, command: ReceiveSms, known: Sequence[Contact]
) -> None:
    """A text from a phone shows that it is hers, whatever it says: enrollment is told (D18)."""
    await outbox.append(
        conn,
        [
            events.contact_proven(
                contact.chain_id,
                contact.member_id,
                proof=deps.proofs.make(
                    chain_id=contact.chain_id, member_id=contact.member_id, address=contact.phone
                ),
                occurred_at=deps.clock.now(contact.chain_id),
            )
            for contact in known
            if not contact.phone_verified
        ],
    )


async def _stop(
    deps: Deps, conn: Connection, command: ReceiveSms, known: Sequence[Contact]
) -> None:
    """Silence the chain of the mailbox, or every chain that wrote to this phone from the number.

    Where none ever wrote, the number itself falls silent for this phone. One that changes nothing
    is not answered, so that two machines cannot talk for ever.
    """
    if command.chain_id is not None:
        chains = [command.chain_id]
    else:
        chains = await consents.live_correspondents(
            conn, number=command.number, phone=command.phone
        )
    changed = False
    nobody = [PLATFORM] if command.number == deps.sms_number else []
    for chain_id in chains or nobody:
        changed |= await _change(
            deps, conn, command, chain_id, known, granted=False, source=ConsentSource.SMS_STOP
        )
    if changed:
        await _answer(deps, conn, command, known, chains=chains, answer=templates.STOPPED)


async def _start(
    deps: Deps, conn: Connection, command: ReceiveSms, known: Sequence[Contact]
) -> None:
    """Restore what a STOP from this phone silenced, or grant where just one chain can be meant.

    A member of several chains on the shared number who stopped none of them has not said whom she
    means: silence is no consent, so nothing is granted (D26).
    """
    members_of = sorted({contact.chain_id for contact in known})
    if not members_of:
        return
    chains = members_of
    if command.chain_id is None:
        await _lift_number_stop(deps, conn, command)
        stopped = await consents.chains_stopped_by(
            conn, members_of, number=command.number, phone=command.phone
        )
        if not stopped and len(members_of) > 1:
            return
        chains = stopped or members_of
    for chain_id in chains:
        await _change(
            deps, conn, command, chain_id, known, granted=True, source=ConsentSource.SMS_YES
        )
    await _answer(deps, conn, command, known, chains=chains, answer=templates.STARTED)


async def _lift_number_stop(deps: Deps, conn: Connection, command: ReceiveSms) -> None:
    """A STOP from before any chain wrote ends with her YES; it grants nothing by itself."""
    platform = Address(chain_id=PLATFORM, channel=Channel.SMS, value=command.phone)
    if await consents.find_standing(conn, platform) is not None:
        await _change(deps, conn, command, PLATFORM, [], granted=True, source=ConsentSource.SMS_YES)


async def _change(
    deps: Deps,
    conn: Connection,
    command: ReceiveSms,
    chain_id: ChainId,
    known: Sequence[Contact],
    *,
    granted: bool,
    source: ConsentSource,
) -> bool:
    record = ConsentRecord(
        address=Address(chain_id=chain_id, channel=Channel.SMS, value=command.phone),
        member_id=_member_in(chain_id, known),
        granted=granted,
        source=source,
        evidence={
            "provider_message_id": command.provider_message_id,
            "words": command.body[:EVIDENCE_LENGTH_MAX],
        },
        number=command.number,
        occurred_at=deps.clock.now(chain_id),
    )
    return await change_consent(conn, record)


async def _answer(
    deps: Deps,
    conn: Connection,
    command: ReceiveSms,
    known: Sequence[Contact],
    *,
    chains: Sequence[ChainId],
    answer: str,
    keyword: str = "",
) -> None:
    """Answer the text: one message, from the one chain that is meant, else from the platform."""
    chain_id = chains[0] if len(chains) == 1 else PLATFORM
    await deliveries.queue(
        conn,
        [
            NewDelivery(
                chain_id=chain_id,
                id=DeliveryId(uuid4()),
                kind=MessageKind.KEYWORD_ANSWER,
                key=command.provider_message_id,
                member_id=_member_in(chain_id, known),
                channel=Channel.SMS,
                address=command.phone,
                language=await _language(conn, chains, known),
                params={"answer": answer, **({"keyword": keyword} if keyword else {})},
                sealed_code=None,
                expires_at=deps.clock.real_now() + ANSWER_AGE_MAX,
                occurred_at=deps.clock.now(chain_id),
            )
        ],
        real_now=deps.clock.real_now(),
    )


def _member_in(chain_id: ChainId, known: Sequence[Contact]) -> MemberId | None:
    return next((contact.member_id for contact in known if contact.chain_id == chain_id), None)


async def _language(
    conn: Connection, chains: Sequence[ChainId], known: Sequence[Contact]
) -> Language | None:
    """The member's language; None, hence both, where it is unknown or her chains differ in it."""
    spoken: set[Language | None] = set()
    for contact in known:
        if contact.chain_id in chains:
            chain = await contacts.find_chain(conn, contact.chain_id)
            spoken.add(contact.language or (chain.language if chain else None))
    return spoken.pop() if len(spoken) == 1 else None
