"""What a sale or an amount would earn, before it is completed (SQ-17 to SQ-19, SQ-58)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NotRequired

from fastapi import APIRouter
from loyalty.points.v1 import points_pb2
from loyalty.rewards.v1 import rewards_pb2
from loyalty.types.v1 import types_pb2
from starlette.responses import Response
from typing_extensions import TypedDict

from services.gateway.errors import ApiError, Json, api_fields
from services.gateway.pos.caller import Caller, LoyaltyReader
from services.gateway.pos.fields import Id, Money, Part, amount_in, known_id
from services.gateway.pos.found import account_of, program_of, sale_of

router = APIRouter(prefix="/loyalty/programs", tags=["Loyalty programs"])

_FIELDS: Final = {
    "program_id": "",
    "sale_id": "order_id",
    "member_id": "loyalty_account_id",
    "account_id": "loyalty_account_id",
    "amount": "transaction_amount_money",
    "currency": "transaction_amount_money.currency",
    "points": "transaction_amount_money",
}


# SQ-58, the French words verbatim.
EARNS_NOTHING: Final = {"fr": "ne donne pas de points", "en": "earns no points"}


class SilentLineShape(TypedDict):
    """A line that earns nothing, and the words to say so at the till."""

    uid: str
    name: str
    text: str


class CalculatedAnswer(TypedDict):
    """What would be earned: `tier_bonus_points` are part of `points`, `promotion_points` are not.

    `reward_available` is told where an account is known.
    """

    points: int
    promotion_points: int
    tier_bonus_points: int
    loyalty_promotion_id: NotRequired[str]
    silent_line_items: list[SilentLineShape]
    reward_available: NotRequired[bool]


class Calculate(Part):
    """An order or an amount; with the account its tier and the limits of promotions count."""

    order_id: Id | None = None
    transaction_amount_money: Money | None = None
    loyalty_account_id: Id | None = None


@router.post(
    "/{program_id}/calculate",
    response_model=CalculatedAnswer,
    operation_id="CalculateLoyaltyPoints",
)
async def calculate(caller: LoyaltyReader, program_id: str, body: Calculate) -> Response:
    """The points that a sale or an amount would earn; nothing is written (SQ-17).

    Without `loyalty_account_id` the member on the order counts, if there is one (SQ-18).
    """
    _require_one(body)
    program = await program_of(caller, program_id)
    request = points_pb2.CalculatePointsRequest(
        chain_id=caller.chain_id, program_id=program.id, salon_id=caller.only_salon
    )
    sale = None
    if body.order_id is not None:
        sale = await sale_of(caller, body.order_id, field="order_id")
        request.sale_id = sale.id
    if body.transaction_amount_money is not None:
        currency = (await caller.chain()).currency
        amount = amount_in(
            body.transaction_amount_money, currency, field="transaction_amount_money"
        )
        request.amount.CopyFrom(types_pb2.Money(amount=amount, currency=currency))
    account = await _account(caller, body, sale, program.id)
    if account is not None:
        request.account_id = account.id
    with api_fields(_FIELDS):
        answer = await caller.deps.clients.points.CalculatePoints(request)
    told: CalculatedAnswer = {
        "points": answer.points.base + answer.points.tier_bonus,
        "promotion_points": answer.points.promotion,
        "tier_bonus_points": answer.points.tier_bonus,
        "silent_line_items": _silent(sale, answer.silent_line_uids, caller.language),
    }
    if answer.promotion_id:
        told["loyalty_promotion_id"] = answer.promotion_id
    if account is not None:
        told["reward_available"] = await reward_available(caller, account)
    return Json(told)


def _require_one(body: Calculate) -> None:
    if body.order_id is not None and body.transaction_amount_money is not None:
        raise ApiError.of(
            "CONFLICTING_PARAMETERS",
            field="order_id",
            params={"fields": "order_id, transaction_amount_money"},
        )
    if body.order_id is None and body.transaction_amount_money is None:
        raise ApiError.of("MISSING_REQUIRED_PARAMETER", field="order_id")


async def _account(
    caller: Caller, body: Calculate, sale: points_pb2.Sale | None, program_id: str
) -> points_pb2.Account | None:
    """The account that is named, or the one of the member on the sale."""
    field = "loyalty_account_id"
    if body.loyalty_account_id is not None:
        account_id = known_id(body.loyalty_account_id, field=field)
        return await account_of(caller, account_id, field=field)
    if sale is None or not sale.member_id:
        return None
    found = await caller.deps.clients.points.SearchAccounts(
        points_pb2.SearchAccountsRequest(
            chain_id=caller.chain_id, member_ids=[sale.member_id], program_id=program_id, limit=1
        )
    )
    return found.accounts[0] if found.accounts else None


async def reward_available(caller: Caller, account: points_pb2.Account) -> bool:
    """Whether the till shows "Récompense disponible" (SQ-19).

    A balance that reaches the cheapest reward, or one in the wallet that is not used yet nor on a
    sale already.
    """
    rewards = caller.deps.clients.rewards
    listed = await rewards.ListRewardDefinitions(
        rewards_pb2.ListRewardDefinitionsRequest(
            chain_id=caller.chain_id, program_id=account.program_id
        )
    )
    if any(definition.points <= account.balance for definition in listed.definitions):
        return True
    wallet = await rewards.GetWallet(
        rewards_pb2.GetWalletRequest(chain_id=caller.chain_id, member_id=account.member_id)
    )
    return any(
        reward.status == rewards_pb2.REWARD_STATUS_ISSUED and not reward.sale_id
        for reward in wallet.rewards
    )


def _silent(
    sale: points_pb2.Sale | None, uids: Iterable[str], language: str
) -> list[SilentLineShape]:
    """The lines that earn nothing, with the words of SQ-58."""
    names = {line.uid: line.name for line in sale.lines} if sale is not None else {}
    return [
        {"uid": uid, "name": names.get(uid, ""), "text": EARNS_NOTHING[language]} for uid in uids
    ]
