"""Contacts of members, as enrollment last told of them."""

from __future__ import annotations

from dataclasses import dataclass

from services.messaging.domain.chain import ChainId, Language, MemberId
from services.messaging.domain.consent import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How a member is reached. Empty texts where she has given nothing."""

    chain_id: ChainId
    member_id: MemberId
    phone: str
    email: str
    given_name: str
    # None where she has not chosen: then the chain's language counts.
    language: Language | None
    # The channel by which she joined; messages go there (LS-60, D18).
    registered_by: Channel | None
    birthday: str
    phone_verified: bool
    email_verified: bool
    version: int

    def address(self, channel: Channel) -> str:
        """Her address on a channel, empty where she has none."""
        return self.phone if channel is Channel.SMS else self.email

    def is_verified(self, channel: Channel, *, address: str) -> bool:
        """Whether this address is hers today and she has proved it."""
        verified = self.phone_verified if channel is Channel.SMS else self.email_verified
        return verified and bool(address) and self.address(channel) == address


def joined_by(contact: Contact) -> Channel | None:
    """The channel that a message to her takes: the one she joined by, else one she has."""
    if contact.registered_by is not None and contact.address(contact.registered_by):
        return contact.registered_by
    if contact.phone:
        return Channel.SMS
    return Channel.EMAIL if contact.email else None
