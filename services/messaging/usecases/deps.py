"""What the use cases stand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.chassis.clock import BusinessClock
from services.chassis.postgres import Pool
from services.chassis.proofs import AddressProofs
from services.chassis.signing import Sealer, Signer
from services.messaging.domain.chain import ChainId
from services.messaging.domain.provider import Providers

# Enrollment seals one-time codes for this purpose, with the same root secret.
CODE_PURPOSE = "one-time-code"
UNSUBSCRIBE_PURPOSE = "unsubscribe"
# What a text said, kept sealed while its outcome is open.
WORDS_PURPOSE = "sent-words"
# The gateway opens the phone of a sign-up link for this purpose and the chain's id.
JOIN_PURPOSE = "join-phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Database, clock, carriers, and what messages are signed with."""

    pool: Pool
    clock: BusinessClock
    providers: Providers
    # Opens one-time codes, at the moment of sending and never before.
    sealer: Sealer
    # Seals what a text said until its outcome is known.
    words: Sealer
    # Signs the links that stop e-mail.
    unsubscribe: Signer
    # Shows that an address is hers: made for a text that came from it, or a link that goes to it.
    proofs: AddressProofs
    # Seals the phone in a sign-up link; what one chain's opens is nothing to another (LS-21).
    join_sealer: Callable[[ChainId], Sealer]
    public_url: str
    # The platform's shared number, E.164 (D26).
    sms_number: str
    email_sender: str


def join_sealer(secret: str) -> Callable[[ChainId], Sealer]:
    """What seals the phone in a chain's sign-up links."""
    return lambda chain_id: Sealer(secret, f"{JOIN_PURPOSE}/{chain_id}")
