""" "Gain de points": what earns how much in a program, by one rule or several (SQ-46, SQ-47)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Response
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import (
    AccrualRule,
    Program,
    ProgramRules,
    UpdateProgramRequest,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.catalog import catalog_of
from services.gateway.admin.desk import Desk, ManagerDesk
from services.gateway.admin.programs import program_of
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    amount_minor,
    new_key,
    problems_of,
    read_fields,
    typed_amount,
    whole_number,
)
from services.gateway.web.i18n import N_

router = APIRouter()

RULES_MAX: Final = 50
FIELDS_MAX: Final = 10 * RULES_MAX
# The kind of a rule as the form calls it, with the words of its choice.
KINDS: Final = {
    "visit": (points_pb2.ACCRUAL_TYPE_VISIT, N_("une visite")),
    "spend": (points_pb2.ACCRUAL_TYPE_SPEND, N_("les dépenses")),
    "item": (points_pb2.ACCRUAL_TYPE_ITEM_VARIATION, N_("un article")),
    "category": (points_pb2.ACCRUAL_TYPE_CATEGORY, N_("une catégorie")),
}
_PARTS: Final = ("kind", "points", "amount", "minimum", "tax", "variation", "category", "origin")
# The part of a rule that a refusal names, and the field that shows it.
_SHOWN: Final = {
    "points": "points",
    "visit_data.minimum_amount_money": "minimum",
    "spend_data.amount_money": "amount",
    "spend_data": "kind",
    "item_variation_data.item_variation_id": "variation",
    "category_data.category_id": "category",
}
_REMOVE: Final = re.compile(r"remove-([0-9]{1,2})")

# One rule as the form shows it: each part by its name.
RuleFields = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The rules that a form says, with words beside what is not one."""

    rules: Sequence[AccrualRule]
    problems: Problems


def _shown_rule(rule: AccrualRule, place: int, language: str) -> RuleFields:
    kinds = {value: name for name, (value, _) in KINDS.items()}
    return {
        "kind": kinds.get(rule.type, "visit"),
        "points": str(rule.points),
        "amount": typed_amount(rule.amount_minor, language) if rule.amount_minor else "",
        "minimum": typed_amount(rule.minimum_minor, language) if rule.minimum_minor else "",
        "tax": "after" if rule.tax_mode == points_pb2.TAX_MODE_AFTER_TAX else "before",
        "variation": rule.variation_id,
        "category": rule.category_id,
        "origin": str(place),
    }


def _new_rule() -> RuleFields:
    return {**dict.fromkeys(_PARTS, ""), "kind": "visit", "points": "1", "tax": "before"}


def _posted(fields: Fields) -> list[RuleFields]:
    """The rules of the form, as typed."""
    count = int(fields["count"]) if re.fullmatch(r"[0-9]{1,2}", fields["count"]) else 0
    return [
        {part: fields.text(f"rule-{place}-{part}") for part in _PARTS}
        for place in range(min(count, RULES_MAX))
    ]


async def _form(
    desk: Desk,
    program: Program,
    rules: Sequence[RuleFields],
    problems: Problems = NO_PROBLEMS,
) -> Response:
    catalog = await catalog_of(desk)
    return desk.show(
        "earning.html",
        here="programs",
        problems=problems,
        program=program,
        rules=rules,
        kinds=[(name, desk.say(words)) for name, (_, words) in KINDS.items()],
        variations=[
            (each.id, catalog.name_of(each.id))
            for each in catalog.of_type(points_pb2.CATALOG_OBJECT_TYPE_ITEM_VARIATION)
        ],
        categories=[
            (each.id, catalog.name_of(each.id))
            for each in catalog.of_type(points_pb2.CATALOG_OBJECT_TYPE_CATEGORY)
        ],
        rules_max=RULES_MAX,
        key=new_key(),
    )


@router.get("/admin/programs/{program_id}/earning")
async def earning_page(desk: ManagerDesk, program_id: str) -> Response:
    """ "Modifier" of "Gain de points"."""
    program = await program_of(desk, program_id)
    rules = [
        _shown_rule(rule, place, desk.language) for place, rule in enumerate(program.accrual_rules)
    ]
    return await _form(desk, program, rules)


@router.post("/admin/programs/{program_id}/earning")
async def save_earning(desk: ManagerDesk, program_id: str) -> Response:
    """ "Enregistrer"; "Ajouter une règle" and "Retirer" only show the form with more or fewer.

    What was earned before stays as it is (SQ-46); other sections are not touched (SQ-47).
    """
    fields = await read_fields(desk.request, fields_max=FIELDS_MAX)
    program = await program_of(desk, program_id)
    posted = _posted(fields)
    if fields["do"] == "add":
        return await _form(desk, program, [*posted, _new_rule()][:RULES_MAX])
    if removed := _REMOVE.fullmatch(fields["do"]):
        kept = [rule for place, rule in enumerate(posted) if place != int(removed[1])]
        return await _form(desk, program, kept or [_new_rule()])
    if fields["version"] != str(program.version):
        words = desk.say("Le programme a changé entre-temps. Voici ses règles d'aujourd'hui.")
        present = program.accrual_rules
        rules = [_shown_rule(rule, place, desk.language) for place, rule in enumerate(present)]
        return await _form(desk, program, rules, Problems(form=words, status=409))
    wanted = _wanted(desk, program, posted)
    problems = wanted.problems
    if not problems:
        request = UpdateProgramRequest(
            idempotency_key=fields.key,
            chain_id=desk.chain_id,
            program_id=program.id,
            rules=ProgramRules(accrual_rules=wanted.rules),
            actor=desk.principal.actor,
        )
        try:
            await desk.deps.clients.points.UpdateProgram(request)
        except RemoteRefusal as refusal:
            problems = problems_of(refusal, desk.language, shown=_names(len(posted)))
    if problems:
        return await _form(desk, program, posted, problems)
    return desk.go(f"programs/{program.id}", done="saved", news="1")


def _names(count: int) -> dict[str, str]:
    return {
        f"accrual_rules[{place}].{part}": f"rule-{place}-{name}"
        for place in range(count)
        for part, name in _SHOWN.items()
    }


def _wanted(desk: Desk, program: Program, posted: Sequence[RuleFields]) -> Wanted:
    """Every rule read, each in the data of its own kind."""
    rules: list[AccrualRule] = []
    wrong: dict[str, str] = {}
    for place, said in enumerate(posted):
        rule, problems = _rule(desk, said, prefix=f"rule-{place}-")
        wrong |= problems
        if rule.type == points_pb2.ACCRUAL_TYPE_SPEND:
            _keep_exclusions(rule, said, program)
        rules.append(rule)
    if not rules:
        words = desk.say("Un programme donne des points par au moins une règle.")
        return Wanted(rules=(), problems=Problems(form=words))
    return Wanted(rules=rules, problems=Problems(fields=wrong))


def _rule(desk: Desk, said: RuleFields, *, prefix: str) -> tuple[AccrualRule, Mapping[str, str]]:
    kind, _ = KINDS.get(said["kind"], KINDS["visit"])
    points, problems = whole_number(said["points"], desk.language, f"{prefix}points")
    wrong = dict(problems.fields)
    rule = AccrualRule(type=kind, points=points)
    if kind in {points_pb2.ACCRUAL_TYPE_VISIT, points_pb2.ACCRUAL_TYPE_SPEND}:
        after = said["tax"] == "after"
        rule.tax_mode = points_pb2.TAX_MODE_AFTER_TAX if after else points_pb2.TAX_MODE_BEFORE_TAX
    if kind == points_pb2.ACCRUAL_TYPE_VISIT and said["minimum"].strip("0.,"):
        rule.minimum_minor, problems = amount_minor(
            said["minimum"], desk.language, f"{prefix}minimum"
        )
        wrong |= problems.fields
    if kind == points_pb2.ACCRUAL_TYPE_SPEND:
        rule.amount_minor, problems = amount_minor(said["amount"], desk.language, f"{prefix}amount")
        wrong |= problems.fields
    if kind == points_pb2.ACCRUAL_TYPE_ITEM_VARIATION:
        rule.variation_id = said["variation"]
        if not rule.variation_id:
            wrong[f"{prefix}variation"] = desk.say("Choisissez un article.")
    if kind == points_pb2.ACCRUAL_TYPE_CATEGORY:
        rule.category_id = said["category"]
        if not rule.category_id:
            wrong[f"{prefix}category"] = desk.say("Choisissez une catégorie.")
    return rule, wrong


def _keep_exclusions(rule: AccrualRule, said: RuleFields, program: Program) -> None:
    """What is excluded is another section's: a rule keeps its own, a new one has everybody's."""
    present = program.accrual_rules
    place = int(said["origin"]) if re.fullmatch(r"[0-9]{1,2}", said["origin"]) else len(present)
    sources = [present[place]] if place < len(present) else list(present)
    if all(source.type != points_pb2.ACCRUAL_TYPE_SPEND for source in sources):
        sources = list(present)
    categories = {each for source in sources for each in source.excluded_category_ids}
    items = {each for source in sources for each in source.excluded_item_ids}
    rule.excluded_category_ids.extend(sorted(categories))
    rule.excluded_item_ids.extend(sorted(items))
