"""Drives the gateway from a process of its own: raw keep-alive connections, closed loop.

`python -m tests.bench.driver` reads its orders as JSON from stdin and prints a measure as JSON.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import uvloop

WARM_UP_SECONDS = 1.0


@dataclass(slots=True, kw_only=True)
class Orders:
    """What to send, and what came back."""

    host: str
    port: int
    token: str
    kind: str
    accounts: list[str]
    location_id: str
    definition_id: str
    connections: int
    seconds: float
    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    counted_from: float = 0.0
    until: float = 0.0

    def request(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        """One request, whole."""
        payload = json.dumps(body).encode() if body is not None else b""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {self.token}\r\nAccept: */*\r\n"
        )
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(payload)}\r\n"
        return head.encode() + b"\r\n" + payload

    def first(self) -> bytes:
        """The request that begins a piece of work."""
        account = random.choice(self.accounts)
        if self.kind == "read":
            return self.request("GET", f"/v2/loyalty/accounts/{account}")
        if self.kind == "pairs":
            reward = {"loyalty_account_id": account, "reward_tier_id": self.definition_id}
            body = {"idempotency_key": str(uuid4()), "reward": reward}
            return self.request("POST", "/v2/loyalty/rewards", body)
        earn = {
            "idempotency_key": str(uuid4()),
            "accumulate_points": {"points": 1},
            "location_id": self.location_id,
        }
        return self.request("POST", f"/v2/loyalty/accounts/{account}/accumulate", earn)

    def follow(self, sent: int, answer: bytes) -> bytes | None:
        """The next request of the same piece of work, or None when it is done."""
        if self.kind != "pairs" or sent == 2:
            return None
        reward_id = json.loads(answer)["reward"]["id"]
        body = {"idempotency_key": str(uuid4()), "location_id": self.location_id}
        return self.request("POST", f"/v2/loyalty/rewards/{reward_id}/redeem", body)


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request on its way."""

    def __init__(self, orders: Orders, done: asyncio.Future[None]) -> None:
        self._orders = orders
        self._done = done
        self._buffer = b""
        self._begun = 0.0
        self._sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self._begin()

    def _begin(self) -> None:
        self._begun = time.perf_counter()
        self._sent = 1
        self._transport.write(self._orders.first())

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
        self._answered(int(head[9:12]), body)

    def _answered(self, status: int, body: bytes) -> None:
        orders = self._orders
        now = time.perf_counter()
        if status == 200 and (follow := orders.follow(self._sent, body)) is not None:
            self._sent += 1
            self._transport.write(follow)
            return
        orders.statuses[status] += 1
        if orders.counted_from <= now < orders.until and status == 200:
            orders.times.append(now - self._begun)
        if now < orders.until:
            self._begin()
        elif not self._done.done():
            self._done.set_result(None)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before its time counts as a fault."""
        if not self._done.done():
            self._orders.statuses[0] += 1
            self._done.set_result(None)


async def drive(orders: Orders) -> dict[str, Any]:
    """Warm up, measure, let the last answers come in."""
    loop = asyncio.get_running_loop()
    orders.counted_from = time.perf_counter() + WARM_UP_SECONDS
    orders.until = orders.counted_from + orders.seconds
    waiting = []
    for _ in range(orders.connections):
        done = loop.create_future()
        waiting.append(done)
        await loop.create_connection(
            lambda done=done: Connection(orders, done),  # type: ignore[misc]
            orders.host,
            orders.port,
        )
    cpu_from = time.process_time()
    await asyncio.gather(*waiting)
    cpu = (time.process_time() - cpu_from) / (orders.seconds + WARM_UP_SECONDS)
    return {
        "times": orders.times,
        "statuses": {str(status): count for status, count in orders.statuses.items()},
        "driver_cpu": cpu,
    }


if __name__ == "__main__":
    uvloop.install()
    sys.stdout.write(json.dumps(asyncio.run(drive(Orders(**json.load(sys.stdin))))))
