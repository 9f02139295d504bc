""" "Articles et catégories admissibles": what does not earn where spending does (SQ-53, SQ-54)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Response
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import (
    AccrualRule,
    CatalogObject,
    Program,
    ProgramRules,
    UpdateProgramRequest,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.catalog import Catalog, catalog_of, plain
from services.gateway.admin.desk import Desk, ManagerDesk
from services.gateway.admin.programs import program_of
from services.gateway.admin.rule_words import spends
from services.gateway.errors import ApiError
from services.gateway.web.forms import NO_PROBLEMS, Problems, new_key, problems_of

router = APIRouter()

QUERY_LENGTH_MAX: Final = 100
# A tick and its being there for each object of the largest catalog that a page shows.
FIELDS_MAX: Final = 12_000
ID_LENGTH_MAX: Final = 36


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One tick of the list. `by_category`: its category is excluded, whatever its own tick."""

    id: str
    name: str
    earns: bool
    by_category: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A category with its items; the last one holds items without a category (SQ-54)."""

    name: str
    category: Row | None
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the form says: which ids do not earn, shown or not, and what was searched."""

    excluded: frozenset[str]
    query: str
    searches: bool
    version: str


def groups_of(catalog: Catalog, excluded: frozenset[str], query: str) -> list[Group]:
    """The list with its ticks; a search leaves what matches, by any part, accents ignored."""
    wanted = plain(query.strip())
    groups: list[Group] = []
    for group in catalog.categories():
        whole = wanted in plain(group.name) if group.name else not wanted
        rows = [
            row
            for item in group.items
            for row in _rows(catalog, item, excluded)
            if whole or wanted in plain(row.name)
        ]
        if not (whole or rows):
            continue
        own = group.object and Row(
            id=group.object.id, name=group.name, earns=group.object.id not in excluded
        )
        groups.append(Group(name=group.name, category=own or None, rows=rows))
    return groups


def _rows(catalog: Catalog, item: CatalogObject, excluded: frozenset[str]) -> list[Row]:
    """An item, and those of its variations that are excluded by themselves."""
    lost = catalog.is_within(item, excluded)
    alone = [each.id for each in catalog.variations.get(item.id, ()) if each.id in excluded]
    return [
        Row(id=each, name=catalog.name_of(each), earns=each not in excluded, by_category=lost)
        for each in (item.id, *alone)
    ]


def _excluded_now(program: Program) -> frozenset[str]:
    return frozenset(
        each
        for rule in program.accrual_rules
        for each in (*rule.excluded_category_ids, *rule.excluded_item_ids)
    )


async def _spending(desk: Desk, program_id: str) -> Program:
    """A program in which spending earns; nothing can be excluded from another one (SQ-57)."""
    program = await program_of(desk, program_id)
    if not spends(program):
        raise ApiError.of("EXCLUSION_NOT_ALLOWED")
    return program


async def _page(
    desk: Desk,
    program: Program,
    excluded: frozenset[str],
    query: str,
    problems: Problems = NO_PROBLEMS,
) -> Response:
    catalog = await catalog_of(desk)
    groups = groups_of(catalog, excluded, query)
    shown = {row.id for group in groups for row in group.rows}
    shown |= {group.category.id for group in groups if group.category}
    return desk.show(
        "eligible.html",
        here="programs",
        problems=problems,
        program=program,
        groups=groups,
        # What the search hides stays as it is.
        hidden=sorted(excluded - shown),
        query=query,
        is_cut=catalog.is_cut,
        is_empty=not catalog.objects,
        key=new_key(),
    )


@router.get("/admin/programs/{program_id}/eligible")
async def eligible_page(desk: ManagerDesk, program_id: str) -> Response:
    """Every category and item with a tick where it earns."""
    program = await _spending(desk, program_id)
    return await _page(desk, program, _excluded_now(program), "")


async def _answer(desk: Desk) -> Answer:
    form = await desk.request.form(max_files=0, max_fields=FIELDS_MAX)

    def ids(name: str) -> set[str]:
        texts = (value for value in form.getlist(name) if isinstance(value, str))
        return {text for text in texts if text and len(text) <= ID_LENGTH_MAX}

    return Answer(
        excluded=frozenset(ids("off") | (ids("shown") - ids("earns"))),
        query=str(form.get("query", ""))[:QUERY_LENGTH_MAX].replace("\x00", ""),
        searches=form.get("do") == "search",
        version=str(form.get("version", "")),
    )


@router.post("/admin/programs/{program_id}/eligible")
async def save_eligible(desk: ManagerDesk, program_id: str) -> Response:
    """ "Terminé": holds for sales from now on (SQ-56); "Chercher" keeps the ticks and saves not."""
    answer = await _answer(desk)
    program = await _spending(desk, program_id)
    if answer.searches:
        return await _page(desk, program, answer.excluded, answer.query)
    if answer.version != str(program.version):
        words = desk.say("Le programme a changé entre-temps. Voici ses règles d'aujourd'hui.")
        problems = Problems(form=words, status=409)
        return await _page(desk, program, _excluded_now(program), "", problems)
    objects = (await catalog_of(desk)).objects
    # What nobody knows, and is not kept from before, is nobody's to exclude.
    excluded = answer.excluded & (objects.keys() | _excluded_now(program))
    rules = ProgramRules(accrual_rules=program.accrual_rules)
    for rule in rules.accrual_rules:
        if rule.type == points_pb2.ACCRUAL_TYPE_SPEND:
            _exclude(rule, excluded, objects)
    request = UpdateProgramRequest(
        chain_id=desk.chain_id, program_id=program.id, rules=rules, actor=desk.principal.actor
    )
    try:
        await desk.deps.clients.points.UpdateProgram(request)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language)
        return await _page(desk, program, answer.excluded, answer.query, problems)
    return desk.go(f"programs/{program.id}", done="saved", news="1")


def _exclude(
    rule: AccrualRule, excluded: frozenset[str], objects: Mapping[str, CatalogObject]
) -> None:
    """Write what does not earn, each id where it belongs; one that was deleted stays in its."""
    categories = {
        each
        for each in excluded
        if (each in objects and objects[each].type == points_pb2.CATALOG_OBJECT_TYPE_CATEGORY)
        or (each not in objects and each in rule.excluded_category_ids)
    }
    del rule.excluded_category_ids[:]
    del rule.excluded_item_ids[:]
    rule.excluded_category_ids.extend(sorted(categories))
    rule.excluded_item_ids.extend(sorted(excluded - categories))
