"""Consent, as its owner sees and changes it (LS-77 to LS-79)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis import outbox
from services.chassis.postgres import Connection, in_transaction
from services.messaging import events
from services.messaging.domain.chain import PLATFORM, Chain, ChainId, MemberId
from services.messaging.domain.consent import (
    Address,
    Barrier,
    Channel,
    ConsentRecord,
    ConsentSource,
    MessageClass,
    Standing,
    may_send,
)
from services.messaging.domain.errors import (
    ConsentBelongsToMember,
    EmailMissing,
    MemberUnknown,
    WordingVersionRequired,
)
from services.messaging.storage import consents, contacts
from services.messaging.usecases import numbers
from services.messaging.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConsent:
    """What counts for one channel of a member; no standing where nothing was ever said."""

    channel: Channel
    standing: Standing | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEmailConsent:
    """The member's tick in "mon compte"."""

    chain_id: ChainId
    member_id: MemberId
    granted: bool
    wording_version: str
    # Whether the caller is the member herself, from a phone that she has signed in on.
    by_herself: bool


async def get_consents(deps: Deps, chain_id: ChainId, member_id: MemberId) -> list[ChannelConsent]:
    """What the addresses of a member agreed to, on each channel that she has given an address for.

    Empty for a member of whom nothing has arrived yet.
    """

    async def work(conn: Connection) -> list[ChannelConsent]:
        contact = await contacts.find_contact(conn, chain_id, member_id)
        if contact is None:
            return []
        return [
            ChannelConsent(
                channel=channel,
                standing=await consents.find_standing(
                    conn,
                    Address(chain_id=chain_id, channel=channel, value=contact.address(channel)),
                ),
            )
            for channel in Channel
            if contact.address(channel)
        ]

    return await in_transaction(deps.pool, work)


async def set_email_consent(deps: Deps, command: SetEmailConsent) -> Standing:
    """Give or withdraw consent to e-mail by the member's own tick, at once (LS-78).

    Repeatable: a tick that changes nothing leaves no record. There is no such way for SMS, which
    returns by YES alone (LS-79).

    Refuses with ConsentBelongsToMember for anyone else (LS-77), WordingVersionRequired for a
    grant without evidence, MemberUnknown, EmailMissing.
    """
    if not command.by_herself:
        raise ConsentBelongsToMember
    if command.granted and not command.wording_version:
        raise WordingVersionRequired

    async def work(conn: Connection) -> Standing:
        contact = await contacts.find_contact(conn, command.chain_id, command.member_id)
        if contact is None:
            raise MemberUnknown
        if not contact.email:
            raise EmailMissing
        address = Address(chain_id=command.chain_id, channel=Channel.EMAIL, value=contact.email)
        record = ConsentRecord(
            address=address,
            member_id=command.member_id,
            granted=command.granted,
            source=ConsentSource.CLIENT_APP,
            evidence={"wording_version": command.wording_version},
            number="",
            occurred_at=deps.clock.now(command.chain_id),
        )
        await change_consent(conn, record)
        standing = await consents.find_standing(conn, address)
        if standing is None:
            raise MemberUnknown
        return standing

    return await in_transaction(deps.pool, work)


async def barrier(
    deps: Deps,
    conn: Connection,
    message_class: MessageClass,
    address: Address,
    *,
    chain: Chain | None,
    member_id: MemberId | None,
) -> Barrier | None:
    """What stands in the way of a message to an address at this moment; None: nothing (D18).

    The one place that asks: when a message leaves, and when staff want to know whether it may.
    """
    if message_class is MessageClass.SECURITY:
        return may_send(MessageClass.SECURITY, standing=None)
    everywhere = replace(address, chain_id=PLATFORM)
    number = await consents.find_standing(conn, everywhere)
    # A STOP to the shared number says nothing of a number of the chain's own.
    speaks_from_shared = await numbers.number_of(deps, conn, chain) == deps.sms_number
    contact = await contacts.find_contact(conn, address.chain_id, member_id) if member_id else None
    return may_send(
        message_class,
        standing=await consents.find_standing(conn, address),
        number_stopped=number is not None and not number.granted and speaks_from_shared,
        contact_verified=contact is not None
        and contact.is_verified(address.channel, address=address.value),
        erased=contact is None
        and member_id is not None
        and await contacts.is_erased(conn, address.chain_id, member_id),
        address_changed=contact is not None and contact.address(address.channel) != address.value,
    )


async def change_consent(conn: Connection, record: ConsentRecord) -> bool:
    """Write an act about an address and tell it; False when it changes nothing."""
    record_id = await consents.record_change(conn, record)
    if record_id is None:
        return False
    await outbox.append(conn, [events.consent_changed(record, record_id=record_id)])
    return True
