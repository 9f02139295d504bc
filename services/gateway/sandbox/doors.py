"""Who may use the sandbox: an API key of a sandbox chain; for any other there is nothing here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from services.gateway.errors import ApiError
from services.gateway.pos.caller import (
    Caller,
    CustomerReader,
    CustomerWriter,
    LoyaltyReader,
    LoyaltyWriter,
)


def _of_sandbox(caller: Caller) -> Caller:
    if not caller.principal.sandbox:
        raise ApiError.of("SANDBOX_ONLY")
    return caller


async def _clock_reader(caller: LoyaltyReader) -> Caller:
    return _of_sandbox(caller)


async def _clock_mover(caller: LoyaltyWriter) -> Caller:
    return _of_sandbox(caller)


async def _mailbox_reader(caller: CustomerReader) -> Caller:
    return _of_sandbox(caller)


async def _mailbox_writer(caller: CustomerWriter) -> Caller:
    return _of_sandbox(caller)


ClockReader = Annotated[Caller, Depends(_clock_reader)]
ClockMover = Annotated[Caller, Depends(_clock_mover)]
MailboxReader = Annotated[Caller, Depends(_mailbox_reader)]
MailboxWriter = Annotated[Caller, Depends(_mailbox_writer)]
