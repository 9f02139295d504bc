"""What the use cases stand on."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.clock import BusinessClock
from services.chassis.postgres import Pool
from services.chassis.signing import Sealer, Signer
from services.messaging.domain.provider import Providers

# Enrollment seals one-time codes for this purpose, with the same root secret.
CODE_PURPOSE = "one-time-code"
UNSUBSCRIBE_PURPOSE = "unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """Database, clock, carriers, and what messages are signed with."""

    pool: Pool
    clock: BusinessClock
    providers: Providers
    # Opens one-time codes, at the moment of sending and never before.
    sealer: Sealer
    # Signs the links that stop e-mail.
    unsubscribe: Signer
    public_url: str
    # The platform's shared number, E.164 (D26).
    sms_number: str
    email_sender: str
