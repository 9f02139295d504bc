"""Drives the gateway from a process of its own: raw keep-alive connections, closed loop or open.

`python -m tests.bench.driver` reads its orders as JSON from stdin and prints what came of them as
JSON. In a closed loop a connection sends again when it has its answer. In an open one it sends at
its own times, and an answer's time counts from the time at which its request should have left.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import uvloop

from tests.bench.places import account_id

# Earns that are sent again at the end: each must get its first answer.
REPLAYS = 50
OK = "200"
_EARN = '{"idempotency_key":"%s","accumulate_points":{"points":1},"location_id":"%s"}'
_TAKE = '{"idempotency_key":"%s","reward":{"loyalty_account_id":"%s","reward_tier_id":"%s"}}'
_USE = '{"idempotency_key":"%s","location_id":"%s"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent, and what its answer must bear."""

    sent: bytes
    about: bytes


@dataclass(slots=True, kw_only=True)
class Orders:
    """What to send, and what came back."""

    host: str
    port: int
    token: str
    kind: str
    # Accounts by name, or so many of those that were loaded.
    accounts: list[str]
    places: int
    location_id: str
    definition_id: str
    connections: int
    seconds: float
    warm_up_seconds: float
    # Requests a second of all connections together; 0: a closed loop.
    rate: float
    # Seconds that each answer took, and when it came, counted from the end of the warm-up.
    times: array[float] = field(default_factory=lambda: array("d"))
    moments: array[float] = field(default_factory=lambda: array("d"))
    answers: Counter[str] = field(default_factory=Counter)
    kept: list[tuple[bytes, bytes]] = field(default_factory=list)
    counted_from: float = 0.0
    until: float = 0.0

    def _request(self, method: str, path: str, about: str, body: str = "") -> Request:
        """One request, whole."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nAccept: */*\r\n"
        )
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return Request(sent=f"{head}\r\n{body}".encode(), about=about.encode())

    def first(self) -> Request:
        """The request that begins a piece of work."""
        if self.accounts:
            account = random.choice(self.accounts)
        else:
            account = account_id(int(random.random() * self.places) + 1)
        if self.kind == "read":
            return self._request("GET", f"/v2/loyalty/accounts/{account}", account)
        if self.kind == "pairs":
            body = _TAKE % (uuid4(), account, self.definition_id)
            return self._request("POST", "/v2/loyalty/rewards", account, body)
        path = f"/v2/loyalty/accounts/{account}/accumulate"
        return self._request("POST", path, account, _EARN % (uuid4(), self.location_id))

    def follow(self, sent: int, answer: bytes) -> Request | None:
        """The next request of the same piece of work, or None when it is done."""
        if self.kind != "pairs" or sent == 2:
            return None
        reward = json.loads(answer)["reward"]["id"]
        path = f"/v2/loyalty/rewards/{reward}/redeem"
        return self._request("POST", path, reward, _USE % (uuid4(), self.location_id))

    def keep(self, request: Request, answer: bytes) -> None:
        """Remember some earns and what they were told."""
        if self.kind == "accumulate" and len(self.kept) < REPLAYS:
            self.kept.append((request.sent, answer))


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request on its way."""

    def __init__(self, orders: Orders, done: asyncio.Future[None]) -> None:
        self._orders = orders
        self._done = done
        self._buffer = b""
        self._begun = 0.0
        self._sent = 0
        # In an open loop: the time from one request to the next, and when the next is due.
        self._pause = orders.connections / orders.rate if orders.rate else 0.0
        self._due = time.perf_counter() + random.random() * self._pause

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._begin(time.perf_counter())

    def _begin(self, begun: float | None = None) -> None:
        if self._transport.is_closing():
            return
        self._begun = begun or time.perf_counter()
        self._sent = 1
        self._send(self._orders.first())

    def _send(self, request: Request) -> None:
        self._request = request
        self._transport.write(request.sent)

    def data_received(self, data: bytes) -> None:
        """Take an answer once it is whole, then go on."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._buffer = b""
        self._answered(head[9:12].decode(), body)

    def _answered(self, status: str, body: bytes) -> None:
        orders = self._orders
        now = time.perf_counter()
        if status == OK and self._request.about not in body:
            status = "of another"
        if status == OK and (follow := orders.follow(self._sent, body)) is not None:
            self._sent += 1
            self._send(follow)
            return
        orders.answers[status] += 1
        if status == OK:
            orders.keep(self._request, body)
            if orders.counted_from <= now < orders.until:
                orders.times.append(now - self._begun)
                orders.moments.append(now - orders.counted_from)
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        self._due += self._pause
        if max(now, self._due if self._pause else 0.0) >= self._orders.until:
            if not self._done.done():
                self._done.set_result(None)
            self._transport.close()
        elif not self._pause:
            self._begin(now)
        elif self._due <= now:
            self._begin(self._due)
        else:
            asyncio.get_running_loop().call_later(self._due - now, self._begin)

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before its time counts as a fault."""
        if not self._done.done():
            self._orders.answers["closed"] += 1
            self._done.set_result(None)


async def drive(orders: Orders) -> dict[str, Any]:
    """Warm up, measure, let the last answers come in, ask some earns again."""
    loop = asyncio.get_running_loop()
    began, cpu_from = time.perf_counter(), time.process_time()
    orders.counted_from = began + orders.warm_up_seconds
    orders.until = orders.counted_from + orders.seconds
    counted_from_unix = time.time() + orders.warm_up_seconds
    waiting = []
    for _ in range(orders.connections):
        done = loop.create_future()
        waiting.append(done)
        await loop.create_connection(
            lambda done=done: Connection(orders, done),  # type: ignore[misc]
            orders.host,
            orders.port,
        )
    await asyncio.gather(*waiting)
    cpu = (time.process_time() - cpu_from) / (time.perf_counter() - began)
    if differing := await _differing(orders):
        orders.answers["another on replay"] = differing
    return {
        "times_us": [round(taken * 1e6) for taken in orders.times],
        "moments_us": [round(moment * 1e6) for moment in orders.moments],
        "answers": dict(orders.answers),
        "driver_cpu": cpu,
        "counted_from": counted_from_unix,
    }


async def _differing(orders: Orders) -> int:
    """Of the earns that were kept, how many get another answer than their first."""
    reader, writer = await asyncio.open_connection(orders.host, orders.port)
    differing = 0
    for sent, first in orders.kept:
        writer.write(sent)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        differing += await reader.readexactly(length) != first
    writer.close()
    return differing


if __name__ == "__main__":
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(drive(Orders(**json.load(sys.stdin))))))
