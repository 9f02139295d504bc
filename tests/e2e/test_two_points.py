"""Two processes of points behind two tills, on Apache Kafka, which alone takes groups of two.

`make smoke` runs it.
"""

import asyncio
import contextlib
import os
import random
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import httpx
import pytest
from loyalty.points.v1 import points_pb2 as pb
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from loyalty.types.v1.types_pb2 import Actor, Money

from deploy.local import ports
from deploy.local.layout import ROOT
from services.chassis import grpc_client
from services.chassis.errors import Unavailable
from tests.e2e.chains import Chain, fresh_key, fresh_phone, open_chain
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.apache]

MEMBERS = 4
EARNS = 30
SALES = 12
START_SECONDS_MAX = 60

Operation: TypeAlias = Callable[[PointsServiceStub], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What happens in a chain, in its one right order."""

    chain: Chain
    accounts: Sequence[str]
    operations: Sequence[Operation]


@contextlib.asynccontextmanager
async def _second_points(stack: Stack) -> AsyncIterator[tuple[int, Process]]:
    """Another process on the same database and in the same groups; its port."""
    grpc_port, ops_port = ports.free_port(), ports.free_port()
    env = {**stack.env("points"), "GRPC_PORT": str(grpc_port), "OPS_PORT": str(ops_port)}
    with stack.log("points-two").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.points.main", env=env, cwd=ROOT, stdout=log, stderr=log
        )
    try:
        async with asyncio.timeout(START_SECONDS_MAX), httpx.AsyncClient() as client:
            while not await _is_ready(client, ops_port):
                await asyncio.sleep(0.1)
        yield grpc_port, process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _is_ready(client: httpx.AsyncClient, ops_port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        answer = await client.get(f"http://127.0.0.1:{ops_port}/readyz", timeout=5)
        return answer.status_code == 200
    return False


async def _open_day(stack: Stack, name: str, plan: random.Random) -> Day:
    """A chain with members, and a day of earns, sales and refunds; the same for the same seed."""
    chain = await open_chain(stack, name)
    rule = {
        "accrual_type": "SPEND",
        "points": 1,
        "spend_data": {"amount_money": {"amount": 100, "currency": "CAD"}},
    }
    async with chain.client() as client:
        saved = await client.put(
            f"/v2/loyalty/programs/{chain.program_id}",
            json={"idempotency_key": fresh_key(), "program": {"accrual_rules": [rule]}},
        )
        assert saved.status_code == 200, saved.text
        enrolled = [await _enrol(client, chain) for _ in range(MEMBERS)]
    operations: list[Operation] = []
    for _ in range(EARNS):
        account, _member = plan.choice(enrolled)
        operations.append(_earn(chain, account, points=plan.randint(1, 50)))
    for _ in range(SALES):
        account, member = plan.choice(enrolled)
        operations.append(
            _sale(chain, account, member, amount=plan.randint(100, 9000), back=plan.randint(1, 100))
        )
    return Day(chain=chain, accounts=[pair[0] for pair in enrolled], operations=operations)


async def _enrol(client: httpx.AsyncClient, chain: Chain) -> tuple[str, str]:
    wanted = {"program_id": chain.program_id, "mapping": {"phone_number": fresh_phone()}}
    made = await client.post(
        "/v2/loyalty/accounts",
        json={"idempotency_key": fresh_key(), "loyalty_account": wanted},
    )
    assert made.status_code == 200, made.text
    account = made.json()["loyalty_account"]
    return account["id"], account["customer_id"]


def _actor() -> Actor:
    return Actor(kind=Actor.KIND_API_KEY, id="a till")


def _chain_id(chain: Chain) -> str:
    return str(chain.told["chain_id"])


def _earn(chain: Chain, account: str, *, points: int) -> Operation:
    item = pb.EarnItem(
        idempotency_key=fresh_key(),
        chain_id=_chain_id(chain),
        account_id=account,
        salon_id=chain.salon_id,
        actor=_actor(),
        till=pb.TillOrigin(points=points),
    )

    async def run(points_service: PointsServiceStub) -> object:
        answer = await points_service.EarnPoints(pb.EarnPointsRequest(items=[item]))
        assert answer.outcomes[0].WhichOneof("outcome") == "earned", answer
        return answer.outcomes[0].earned.entry.id

    return run


def _sale(chain: Chain, account: str, member: str, *, amount: int, back: int) -> Operation:
    """A sale, counted under a key of each attempt's own, with a partial refund."""
    create = pb.CreateSaleRequest(
        idempotency_key=fresh_key(),
        chain_id=_chain_id(chain),
        salon_id=chain.salon_id,
        member_id=member,
        currency="CAD",
        lines=[pb.SaleLine(uid="coupe", name="Coupe", quantity="1", unit_price_minor=amount)],
        actor=_actor(),
    )
    refund_id = fresh_key()

    async def run(points_service: PointsServiceStub) -> object:
        sale = (await points_service.CreateSale(create)).sale
        counted = await points_service.CountSale(
            pb.CountSaleRequest(
                idempotency_key=fresh_key(),
                chain_id=create.chain_id,
                account_id=account,
                sale_id=sale.id,
                salon_id=create.salon_id,
                actor=_actor(),
            )
        )
        await points_service.RefundSale(
            pb.RefundSaleRequest(
                idempotency_key=fresh_key(),
                chain_id=create.chain_id,
                sale_id=sale.id,
                change_id=refund_id,
                amount=Money(amount=back, currency="CAD"),
                actor=_actor(),
            )
        )
        return [entry.id for entry in counted.entries]

    return run


async def _till(
    operations: Sequence[Operation], stubs: Sequence[PointsServiceStub], plan: random.Random
) -> dict[int, set[str]]:
    """Send everything one to three times, in an order of its own, to either process."""
    order = [place for place in range(len(operations)) for _ in range(plan.randint(1, 3))]
    plan.shuffle(order)
    answers: dict[int, set[str]] = {}
    for place in order:
        while True:
            try:
                answer = await operations[place](plan.choice(stubs))
            except Unavailable:
                await asyncio.sleep(0.02)
                continue
            answers.setdefault(place, set()).add(str(answer))
            break
    return answers


async def _state(stub: PointsServiceStub, day: Day) -> list[Any]:
    found = []
    for account in day.accounts:
        ledger = await stub.GetLedger(
            pb.GetLedgerRequest(chain_id=_chain_id(day.chain), account_id=account)
        )
        found.append(
            (ledger.balance, [(one.kind, one.points, one.entries) for one in ledger.totals])
        )
    return found


async def test_two_tills_and_two_processes_end_as_one_clean_run(stack: Stack) -> None:
    """Repeated, reordered or cut off by `kill -9`: the same ledger, every point once."""
    seed = int(os.environ.get("TWO_POINTS_SEED", random.SystemRandom().randrange(2**32)))
    print(f"TWO_POINTS_SEED={seed}")  # noqa: T201
    clean = await _open_day(stack, "Salon Clair", random.Random(seed))
    mixed = await _open_day(stack, "Salon Mêlé", random.Random(seed))
    first_port = stack.layout.ports().get("points.grpc")
    async with _second_points(stack) as (second_port, second):
        both = (first_port, second_port)
        channels = [grpc_client.channel(f"127.0.0.1:{port}") for port in both]
        stubs = [PointsServiceStub(channel) for channel in channels]
        for operation in clean.operations:
            await operation(stubs[0])
        tills = [
            asyncio.create_task(_till(mixed.operations, stubs, random.Random(seed + number)))
            for number in (1, 2)
        ]
        await asyncio.sleep(0.5)
        second.kill()
        one, other = await asyncio.gather(*tills)

        assert await _state(stubs[0], mixed) == await _state(stubs[0], clean)
        for channel in channels:
            await channel.close(None)
    for place in range(len(mixed.operations)):
        assert len(one[place] | other[place]) == 1, "an answer changed between two tries"
    checked = await stack.ledger_check()
    assert checked.exit_code == 0, checked.output
