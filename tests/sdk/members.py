"""Members of the chain and their points, by way of a till."""

from __future__ import annotations

from typing import Any

from tests.e2e.chains import Chain, fresh_key, fresh_phone
from tests.sdk.till import Till


async def open_account(till: Till, phone: str | None = None, **said: Any) -> Any:
    """The account of a member who enrols by phone."""
    answer = await till(
        "loyalty.accounts.create",
        loyalty_account={
            "program_id": "main",
            "mapping": {"phone_number": phone or fresh_phone()},
            **said,
        },
        idempotency_key=fresh_key(),
    )
    return answer.loyalty_account


async def earn(till: Till, chain: Chain, account_id: str, points: int, **said: Any) -> Any:
    """Points by a till's word."""
    return await till(
        "loyalty.accounts.accumulate_points",
        account_id=account_id,
        accumulate_points={"points": points},
        location_id=chain.salon_id,
        **{"idempotency_key": fresh_key(), **said},
    )


async def balance_of(till: Till, account_id: str) -> int:
    """The account's balance."""
    answer = await till("loyalty.accounts.get", account_id=account_id)
    return int(answer.loyalty_account.balance)
