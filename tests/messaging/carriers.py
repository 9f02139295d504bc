"""Carriers on loopback: as much of Twilio's API and of an SMTP server as messages need.

Both do what a test tells them for each message, down to taking it and never answering.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from typing import Self
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4


class FakeTwilio:
    """The Messages resource of one account.

    `script` holds what happens to the next requests to send, else they are accepted: `accept`,
    `take and drop` (accepted, connection cut), `take and 503` (accepted, then an error), `drop`
    (nothing taken), `garbage` (taken, an unreadable answer), or a status with an error code such
    as `400 21610`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[dict[str, str]] = []
        self.script: deque[str] = deque()
        self.requests: list[str] = []
        self.lookups_fail = False
        # How long an answer takes, after the message was taken.
        self.pause_seconds = 0.0
        # Its clock; None is the machine's.
        self.now: datetime | None = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                request, *lines = head.strip().split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                answer = self._answer(request, headers, body.decode())
                await asyncio.sleep(self.pause_seconds)
                if answer is None:
                    break
                status, content, more = answer
                raw = content.encode()
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Length: {len(raw)}\r\n"
                    f"Content-Type: application/json\r\n{more}\r\n".encode()
                    + raw
                )
                await writer.drain()
        writer.close()

    def _answer(
        self, request: str, headers: dict[str, str], body: str
    ) -> tuple[int, str, str] | None:
        method, target, _ = request.split(" ")
        self.requests.append(method)
        expected = "Basic " + base64.b64encode(b"AC1:t0ken").decode()
        url = urlsplit(target)
        if headers.get("authorization") != expected:
            return 401, '{"code": 20003}', ""
        if url.path != "/2010-04-01/Accounts/AC1/Messages.json":
            return 404, '{"code": 20404}', ""
        if method == "GET":
            return self._list({name: one[0] for name, one in parse_qs(url.query).items()})
        if headers.get("content-type") != "application/x-www-form-urlencoded":
            return 415, "{}", ""
        return self._create({name: one[0] for name, one in parse_qs(body).items()})

    def _list(self, query: dict[str, str]) -> tuple[int, str, str]:
        if self.lookups_fail:
            return 503, "", ""
        found = [
            one
            for one in reversed(self.taken)
            if one["to"] == query["To"] and one["from"] == query["From"]
        ]
        return 200, json.dumps({"messages": found[: int(query["PageSize"])]}), ""

    def _create(self, form: dict[str, str]) -> tuple[int, str, str] | None:
        wish = self.script.popleft() if self.script else "accept"
        if wish == "drop":
            return None
        if wish.startswith(("4", "5")):
            status, _, code = wish.partition(" ")
            more = "Retry-After: 60\r\n" if status == "429" else ""
            return int(status), json.dumps({"code": int(code or 0), "message": form["To"]}), more
        entry = {
            "sid": f"SM{uuid4().hex}",
            "to": form["To"],
            "from": form["From"],
            "body": form["Body"],
            "direction": "outbound-api",
            "date_created": format_datetime(self.now or datetime.now(UTC)),
        }
        self.taken.append(entry)
        if wish == "take and drop":
            return None
        if wish == "take and 503":
            return 503, "", ""
        return 201, "?" if wish == "garbage" else json.dumps(entry), ""


class FakeSmtp:
    """A mail server that takes what it is given.

    `script` holds what happens to the next messages: `rcpt 550`, `data 451`, `take and drop`,
    `drop at data`, `hang at data`, `greet 554`, `mail 451`.
    """

    def __init__(self) -> None:
        self.port = 0
        self.taken: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.script: deque[str] = deque()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wish = self.script.popleft() if self.script else ""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._dialogue(wish, reader, writer)
        writer.close()

    async def _dialogue(
        self, wish: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say("554 no" if wish == "greet 554" else "220 here")
        while line := (await reader.readline()).decode().strip():
            verb = line[:4].upper()
            if wish.lower().startswith(f"{verb.lower()} ") and verb in {"MAIL", "RCPT"}:
                await say(f"{wish[5:]} no")
            elif verb == "RCPT":
                self.recipients.append(line.partition("<")[2].partition(">")[0])
                await say("250 ok")
            elif verb == "DATA":
                await say("354 go on")
                raw = await reader.readuntil(b"\r\n.\r\n")
                if wish == "drop at data":
                    return
                if wish.startswith("data "):
                    await say(f"{wish[5:]} no")
                    continue
                # RFC 5321 4.5.2: a leading dot travels doubled.
                text = raw[:-3].replace(b"\r\n..", b"\r\n.")
                mail = message_from_bytes(text, policy=default)
                assert isinstance(mail, EmailMessage)
                self.taken.append(mail)
                if wish == "take and drop":
                    return
                if wish == "hang at data":
                    await reader.read()
                    return
                await say("250 taken")
            elif verb == "QUIT":
                await say("221 bye")
                return
            else:
                await say("250 ok")
