"""What a till does in browser tests: members, rules, sales, rewards, by the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.browser.salon import Salon, new_phone_number
from tests.e2e import sales

Line = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A member as a till knows her."""

    member_id: str
    account_id: str
    phone: str


async def post(salon: Salon, path: str, **body: Any) -> dict[str, Any]:
    """One call that writes, with a key of its own."""
    answer = await salon.till.post(path, json={"idempotency_key": str(uuid4()), **body})
    assert answer.is_success, (path, answer.text)
    told: dict[str, Any] = answer.json()
    return told


async def enrol(salon: Salon, name: str = "Élodie") -> Client:
    """A new member with an account."""
    phone = new_phone_number()
    made = await post(salon, "/v2/customers", given_name=name, phone_number=f"+1{phone}")
    account = await salon.account_of(phone)
    return Client(member_id=made["customer"]["id"], account_id=account["id"], phone=phone)


async def set_rules(salon: Salon, *rules: dict[str, Any], **said: Any) -> None:
    """What the program earns by from now on."""
    await sales.set_rules(salon.till, *rules, **said)


async def program(salon: Salon) -> dict[str, Any]:
    """The program as the API shows it."""
    answer = await salon.till.get(f"/v2/loyalty/programs/{salon.program_id}")
    found: dict[str, Any] = answer.raise_for_status().json()["program"]
    return found


async def sell(salon: Salon, client: Client, *lines: Line, reward_points: int = 0) -> str:
    """A counted sale at the first salon, with a reward on it if points for one are named."""
    order = {"location_id": salon.salon_ids[0], "line_items": list(lines)}
    order_id = str((await post(salon, "/v2/orders", order=order))["order"]["id"])
    if reward_points:
        await take(salon, client, reward_points, order_id=order_id)
    await post(
        salon,
        f"/v2/loyalty/accounts/{client.account_id}/accumulate",
        location_id=salon.salon_ids[0],
        accumulate_points={"order_id": order_id},
    )
    return order_id


async def take(salon: Salon, client: Client, points: int, **said: Any) -> str:
    """A reward of this price, taken for her."""
    tiers = (await program(salon))["reward_tiers"]
    tier = next(tier for tier in tiers if tier["points"] == points)
    reward = {"loyalty_account_id": client.account_id, "reward_tier_id": tier["id"], **said}
    return str((await post(salon, "/v2/loyalty/rewards", reward=reward))["reward"]["id"])


async def give(salon: Salon, client: Client, points: int, *, at: int = 0) -> None:
    """Points at one of the salons."""
    await post(
        salon,
        f"/v2/loyalty/accounts/{client.account_id}/accumulate",
        location_id=salon.salon_ids[at],
        accumulate_points={"points": points},
    )
