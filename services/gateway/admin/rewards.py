"""Reward definitions of a program: at most fifteen in a chain (SQ-50)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from fastapi import APIRouter, Response
from loyalty.rewards.v1.rewards_pb2 import (
    CreateRewardDefinitionRequest,
    DeleteRewardDefinitionRequest,
    Discount,
    ListRewardDefinitionsRequest,
    RewardDefinition,
    UpdateRewardDefinitionRequest,
)
from loyalty.types.v1.types_pb2 import Money

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk, ManagerDesk
from services.gateway.errors import ApiError
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    problems_of,
    read_fields,
    whole_number,
)

router = APIRouter()

_AMOUNT = re.compile(r"[0-9]{1,7}([.,][0-9]{1,2})?")
_SHOWN = {
    "name": "name",
    "description": "description",
    "points": "points",
    "discount": "discount_value",
    "discount.percentage": "discount_value",
    "discount.amount": "discount_value",
}


def _discount(desk: Desk, fields: Fields) -> tuple[Discount, Problems]:
    """What the reward gives: in kind, a percentage, or an amount in the chain's currency."""
    kind, typed = fields["discount_kind"], fields.text("discount_value").replace(",", ".")
    if kind not in {"percentage", "amount"}:
        return Discount(in_kind=True), NO_PROBLEMS
    try:
        value = Decimal(typed) if _AMOUNT.fullmatch(typed) else Decimal(0)
    except InvalidOperation:
        value = Decimal(0)
    if value <= 0:
        words = desk.say("Entrez un nombre, par exemple 10 ou 12,50.")
        return Discount(), Problems(fields={"discount_value": words})
    if kind == "percentage":
        return Discount(percentage=str(value)), NO_PROBLEMS
    money = Money(amount=int(value * 100), currency=desk.chain.currency)
    return Discount(amount=money), NO_PROBLEMS


async def _definition(desk: Desk, program_id: str, definition_id: str) -> RewardDefinition:
    answer = await desk.deps.clients.rewards.ListRewardDefinitions(
        ListRewardDefinitionsRequest(chain_id=desk.chain_id, program_id=program_id)
    )
    for definition in answer.definitions:
        if definition.id == definition_id:
            return definition
    raise ApiError.of("NOT_FOUND")


def _fields_of(definition: RewardDefinition) -> Fields:
    """A definition as its form shows it."""
    discount = definition.discount
    kind = discount.WhichOneof("value") or "in_kind"
    value = ""
    if kind == "percentage":
        value = discount.percentage
    elif kind == "amount":
        value = f"{Decimal(discount.amount.amount) / 100:.2f}"
    return Fields(
        name=definition.name,
        description=definition.description,
        points=str(definition.points),
        discount_kind=kind,
        discount_value=value,
    )


def _form(
    desk: Desk,
    program_id: str,
    fields: Fields,
    *,
    definition_id: str = "",
    problems: Problems = NO_PROBLEMS,
) -> Response:
    return desk.show(
        "reward.html",
        here="programs",
        problems=problems,
        program_id=program_id,
        definition_id=definition_id,
        fields=fields,
        key=new_key(),
    )


@router.get("/admin/programs/{program_id}/rewards/new")
async def new_reward(desk: ManagerDesk, program_id: str) -> Response:
    """An empty form."""
    return _form(desk, program_id, Fields(discount_kind="in_kind"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the form says of a reward."""

    name: str
    description: str
    points: int
    discount: Discount


def _wanted(desk: Desk, fields: Fields) -> tuple[Wanted, Problems]:
    """The form's values, with words beside the numbers that are none."""
    points, wrong_points = whole_number(fields.text("points"), desk.language, "points")
    discount, wrong_discount = _discount(desk, fields)
    wanted = Wanted(
        name=fields.text("name"),
        description=fields.text("description"),
        points=points,
        discount=discount,
    )
    return wanted, Problems(fields={**wrong_points.fields, **wrong_discount.fields})


@router.post("/admin/programs/{program_id}/rewards/new")
async def create_reward(desk: ManagerDesk, program_id: str) -> Response:
    """A reward to save points for; the sixteenth is refused."""
    fields = await read_fields(desk.request)
    wanted, problems = _wanted(desk, fields)
    if not problems:
        request = CreateRewardDefinitionRequest(
            idempotency_key=fields.key,
            chain_id=desk.chain_id,
            program_id=program_id,
            name=wanted.name,
            description=wanted.description,
            points=wanted.points,
            discount=wanted.discount,
            actor=desk.principal.actor,
        )
        try:
            await desk.deps.clients.rewards.CreateRewardDefinition(request)
        except RemoteRefusal as refusal:
            problems = problems_of(refusal, desk.language, shown=_SHOWN)
    if problems:
        return _form(desk, program_id, fields, problems=problems)
    return desk.go(f"programs/{program_id}", done="created", news="1")


@router.get("/admin/programs/{program_id}/rewards/{definition_id}")
async def reward(desk: ManagerDesk, program_id: str, definition_id: str) -> Response:
    """ "Modifier" of one reward."""
    definition = await _definition(desk, program_id, definition_id)
    return _form(desk, program_id, _fields_of(definition), definition_id=definition.id)


@router.post("/admin/programs/{program_id}/rewards/{definition_id}")
async def save_reward(desk: ManagerDesk, program_id: str, definition_id: str) -> Response:
    """ "Sauvegarder": rewards already taken keep what they were (SQ-49)."""
    fields = await read_fields(desk.request)
    await _definition(desk, program_id, definition_id)
    wanted, problems = _wanted(desk, fields)
    if not problems:
        request = UpdateRewardDefinitionRequest(
            chain_id=desk.chain_id,
            definition_id=definition_id,
            name=wanted.name,
            description=wanted.description,
            points=wanted.points,
            discount=wanted.discount,
            actor=desk.principal.actor,
        )
        try:
            await desk.deps.clients.rewards.UpdateRewardDefinition(request)
        except RemoteRefusal as refusal:
            problems = problems_of(refusal, desk.language, shown=_SHOWN)
    if problems:
        return _form(desk, program_id, fields, definition_id=definition_id, problems=problems)
    return desk.go(f"programs/{program_id}", done="saved", news="1")


@router.get("/admin/programs/{program_id}/rewards/{definition_id}/delete")
async def ask_delete(desk: ManagerDesk, program_id: str, definition_id: str) -> Response:
    """The question before a reward goes, and what stays."""
    definition = await _definition(desk, program_id, definition_id)
    return desk.show(
        "reward_delete.html", here="programs", program_id=program_id, definition=definition
    )


@router.post("/admin/programs/{program_id}/rewards/{definition_id}/delete")
async def delete_reward(desk: ManagerDesk, program_id: str, definition_id: str) -> Response:
    """ "Supprimer": nobody can take it any more; taken ones stay usable."""
    await _definition(desk, program_id, definition_id)
    await desk.deps.clients.rewards.DeleteRewardDefinition(
        DeleteRewardDefinitionRequest(
            chain_id=desk.chain_id, definition_id=definition_id, actor=desk.principal.actor
        )
    )
    return desk.go(f"programs/{program_id}", done="deleted", news="1")
