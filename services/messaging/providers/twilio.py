"""SMS through Twilio's REST API (2010-04-01), over plain HTTP.

Twilio knows no idempotency key for messages. Hence a request whose answer was lost, or that ended
in a 5xx, is never simply repeated: the message list of the account is searched first.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from services.messaging.domain.provider import (
    Accepted,
    Lookup,
    Outgoing,
    Rejected,
    SendOutcome,
    TryLater,
    Unclear,
)

# Below the lease of a delivery, so that nobody looks for a message that is still on its way.
TIMEOUT_SECONDS = 8.0
CONNECT_TIMEOUT_SECONDS = 3.0
CONNECTIONS_MAX = 16
# Newest first; between one phone and one number nobody writes more within one lease.
LOOKUP_PAGE_SIZE = 50
# How far Twilio's clock may stand behind ours.
CLOCK_SLACK = timedelta(seconds=30)
# What failed before a byte of the request left this machine.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class Twilio:
    """Carries SMS for live chains."""

    name = "twilio"

    def __init__(
        self, *, account_sid: str, auth_token: str, base_url: str, status_callback: str = ""
    ) -> None:
        self._status_callback = status_callback
        self._path = f"/2010-04-01/Accounts/{account_sid}/Messages.json"
        self._client = httpx.AsyncClient(
            base_url=base_url,
            auth=httpx.BasicAuth(account_sid, auth_token),
            timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            follow_redirects=False,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(self, message: Outgoing) -> SendOutcome:
        """Create a message."""
        form = {"To": message.to, "From": message.sender, "Body": message.body}
        if self._status_callback:
            form["StatusCallback"] = self._status_callback
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await self._client.post(self._path, data=form)
        except _NOT_SENT:
            return TryLater(reason="provider_unreachable")
        except (httpx.HTTPError, TimeoutError):
            return Unclear(reason="answer_lost")
        return _outcome(response)

    async def find(self, message: Outgoing) -> Accepted | Lookup:
        """Search what we sent to this phone for these words, since the first attempt."""
        query: dict[str, str | int] = {
            "To": message.to,
            "From": message.sender,
            "PageSize": LOOKUP_PAGE_SIZE,
        }
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                response = await self._client.get(self._path, params=query)
            listed = response.json()["messages"] if response.status_code == 200 else None
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError):
            return Lookup.TRY_LATER
        if not isinstance(listed, list):
            return Lookup.TRY_LATER
        since = message.first_attempt_at - CLOCK_SLACK
        for entry in listed:
            if isinstance(entry, dict) and _is(entry, message, since=since):
                return Accepted(provider_message_id=str(entry.get("sid", "")))
        return Lookup.NOT_THERE


def _is(entry: dict[str, Any], message: Outgoing, *, since: datetime) -> bool:
    """Whether a listed message is this one: same words, ours, and not from before."""
    if str(entry.get("body", "")).strip() != message.body.strip():
        return False
    if not str(entry.get("direction", "outbound")).startswith("outbound"):
        return False
    try:
        created = parsedate_to_datetime(str(entry.get("date_created", "")))
    except ValueError:
        return True
    return (created if created.tzinfo else created.replace(tzinfo=UTC)) >= since


def _outcome(response: httpx.Response) -> SendOutcome:
    status = response.status_code
    if status in {200, 201}:
        return _accepted(response)
    if status == 429:
        return TryLater(
            reason="provider_busy",
            retry_after_seconds=_seconds(response.headers.get("Retry-After", "")),
        )
    if status in {401, 403}:
        # The operator's credentials are at fault, not the message; mending them lets it go.
        return TryLater(reason="provider_refuses_credentials")
    if 400 <= status < 500 and status != 408:
        return Rejected(reason=f"twilio_{_error_code(response) or status}")
    # Twilio may have taken the message before it failed.
    return Unclear(reason=f"twilio_{status}")


def _accepted(response: httpx.Response) -> SendOutcome:
    try:
        sid = str(response.json()["sid"])
    except (ValueError, KeyError, TypeError):
        return Unclear(reason="answer_unreadable")
    return Accepted(provider_message_id=sid)


def _error_code(response: httpx.Response) -> int:
    try:
        code = response.json()["code"]
    except (ValueError, KeyError, TypeError):
        return 0
    return code if isinstance(code, int) else 0


def _seconds(text: str) -> float:
    return float(text) if text.isdecimal() and len(text) < 6 else 0.0
