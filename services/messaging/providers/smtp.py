"""E-mail through SMTP (RFC 5321), one connection for one message.

SMTP has no way to ask for a message again. Up to the end of DATA nothing has left; if the answer
to DATA itself is lost, nobody can say, and the delivery stays unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, formataddr
from typing import Literal

import aiosmtplib

from services.messaging.domain.provider import (
    Accepted,
    Lookup,
    Outgoing,
    Rejected,
    SendOutcome,
    TryLater,
    Unclear,
)

# Below the lease of a delivery.
TIMEOUT_SECONDS = 10.0
COMMAND_TIMEOUT_SECONDS = 5.0

StartTls = Literal["auto", "required", "off"]
_START_TLS: dict[StartTls, bool | None] = {"auto": None, "required": True, "off": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where mail is handed in."""

    host: str
    port: int
    username: str
    password: str
    start_tls: StartTls
    # TLS from the first byte (port 465) instead of STARTTLS.
    implicit_tls: bool


class Smtp:
    """Carries e-mail for live chains."""

    name = "smtp"

    def __init__(self, server: SmtpServer) -> None:
        self._server = server

    async def send(self, message: Outgoing) -> SendOutcome:
        """Hand in one message."""
        try:
            raw = _raw(message)
        except (ValueError, IndexError, MessageError):
            return Rejected(reason="address_impossible")
        dialogue = _Dialogue(self._client())
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await dialogue.hand_in(message, raw)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            if dialogue.data_begun:
                return Unclear(reason="answer_lost")
            return TryLater(reason="provider_unreachable")
        finally:
            dialogue.close()

    async def find(self, message: Outgoing) -> Accepted | Lookup:
        """SMTP cannot be asked."""
        return Lookup.CANNOT_SAY

    def _client(self) -> aiosmtplib.SMTP:
        server = self._server
        return aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username or None,
            password=server.password or None,
            use_tls=server.implicit_tls,
            start_tls=False if server.implicit_tls else _START_TLS[server.start_tls],
            timeout=COMMAND_TIMEOUT_SECONDS,
        )


class _Dialogue:
    """One connection, and how far it has come."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        self._client = client
        self.data_begun = False

    async def hand_in(self, message: Outgoing, raw: bytes) -> SendOutcome:
        try:
            await self._client.connect()
        except aiosmtplib.SMTPResponseException:
            # Greeting, EHLO or sign-in: the server or our credentials, not the message.
            return TryLater(reason="provider_refuses_credentials")
        try:
            await self._client.mail(message.sender)
            await self._client.rcpt(message.to)
            self.data_begun = True
            await self._client.data(raw)
        except aiosmtplib.SMTPResponseException as refused:
            if 400 <= refused.code < 500:
                return TryLater(reason=f"smtp_{refused.code}")
            return Rejected(reason=f"smtp_{refused.code}")
        except ValueError:
            return Rejected(reason="address_impossible")
        with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await self._client.quit()
        # Servers' own queue ids vary in form; both sides' logs know the Message-ID.
        return Accepted(provider_message_id=_message_id(message))

    def close(self) -> None:
        self._client.close()


def _message_id(message: Outgoing) -> str:
    return f"{message.delivery_id}@{message.sender.rpartition('@')[2]}"


def _raw(message: Outgoing) -> bytes:
    """The message as it travels. Names and subjects are encoded, never able to add a header."""
    mail = EmailMessage(policy=SMTP_POLICY)
    mail["From"] = formataddr((message.sender_name, message.sender))
    mail["To"] = Address(addr_spec=message.to)
    mail["Subject"] = message.subject
    mail["Date"] = format_datetime(message.first_attempt_at)
    # The same in every attempt: a mail server that got it twice can tell.
    mail["Message-ID"] = f"<{_message_id(message)}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.unsubscribe_url:
        mail["List-Unsubscribe"] = f"<{message.unsubscribe_url}>"
        mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(message.body)
    return mail.as_bytes()
