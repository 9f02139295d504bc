"""Programs: several for a chain, saved section by section (LS-02, LS-74, SQ-46, SQ-47, D12)."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from loyalty.events.v1.points_events_pb2 import ProgramChanged
from loyalty.points.v1 import points_pb2 as pb
from loyalty.types.v1 import types_pb2

from tests.points.house import House, new_id, refusal_of


async def changes_of(house: House, program_id: str) -> list[ProgramChanged]:
    rows = await house.deps.pool.fetch(
        "SELECT payload FROM outbox WHERE type = 'program.changed' AND key = $1 ORDER BY id",
        program_id,
    )
    return [ProgramChanged.FromString(row["payload"]) for row in rows]


async def test_ls_74_the_first_program_is_named_vos_points(house: House) -> None:
    """LS-74: an empty name becomes "Vos points"; words and numbers have their defaults."""
    program = await house.create_program(chain_id=new_id(), name="  ", cool_down_seconds=None)
    assert (program.name, program.term_one, program.term_other) == (
        "Vos points",
        "point",
        "points",
    )
    assert (program.visit_points, program.active, program.version) == (1, True, 1)
    assert program.accrual_type == pb.ACCRUAL_TYPE_VISIT
    assert list(program.salon_ids) == []


async def test_ls_74_two_programs_have_two_balances(house: House) -> None:
    """LS-74: a drop-down picks the program."""
    other = await house.create_program(name="Soins", accrual_type=pb.ACCRUAL_TYPE_SPEND)
    await house.earn(till=pb.TillOrigin(points=3))
    earned = await house.earn(till=pb.TillOrigin(points=8), program_id=other.id)
    assert earned.balance == 8
    assert await house.balance() == 3
    assert (await house.account(house.alice, other.id)).balance == 8


async def test_main_is_the_first_active_program(house: House) -> None:
    house.later(1)
    second = await house.create_program(name="Deuxième")
    house.later(1)
    third = await house.create_program(name="Troisième")
    assert (await house.account(house.charlie)).program_id == house.program.id
    await house.update_program(active=False)
    listed = await house.stub.ListPrograms(pb.ListProgramsRequest(chain_id=house.chain_id))
    assert [program.id for program in listed.programs] == [second.id, house.program.id, third.id]
    main = pb.GetProgramRequest(chain_id=house.chain_id, program_id="main")
    assert (await house.stub.GetProgram(main)).program.id == second.id


async def test_d12_the_cool_down_is_on_for_live_chains_and_off_in_sandboxes(house: House) -> None:
    """D12: 900 s when nothing is said; a chain whose news has not arrived counts as live."""
    live, sandbox, unheard = new_id(), new_id(), new_id()
    await house.keep_chain(live, sandbox=False)
    await house.keep_chain(sandbox, sandbox=True)
    found = {}
    for chain in (live, sandbox, unheard):
        program = await house.create_program(chain_id=chain, cool_down_seconds=None)
        found[chain] = program.cool_down_seconds
    assert found == {live: 900, sandbox: 0, unheard: 900}
    given = await house.create_program(chain_id=unheard, cool_down_seconds=0)
    assert given.cool_down_seconds == 0


async def test_a_repeated_creation_returns_the_first_program_as_it_was(house: House) -> None:
    values: dict[str, Any] = {"idempotency_key": new_id(), "name": "Soins", "points_code": None}
    first = await house.create_program(**values)
    await house.update_program(program_id=first.id, name="Autre")
    assert await house.create_program(**values) == first
    refusal = await refusal_of(house.create_program(**values | {"name": "Ongles"}))
    assert refusal.code == "IDEMPOTENCY_KEY_REUSED"


async def test_sq_47_one_section_is_saved_and_the_others_stay(house: House) -> None:
    """SQ-47: version +1 for each save; LS-02: codes that are not in the save stay."""
    before, codes = house.program, await house.codes()
    house.later(5)
    saved = await house.update_program(name="Étoiles", term_one="étoile", term_other="étoiles")
    assert (saved.name, saved.version) == ("Étoiles", before.version + 1)
    assert (saved.visit_points, saved.cool_down_seconds, saved.active) == (1, 0, True)
    assert saved.updated_at.seconds == before.updated_at.seconds + 5
    assert await house.codes() == codes
    saved = await house.update_program(
        visit_points=2, accrual_type=pb.ACCRUAL_TYPE_SPEND, cool_down_seconds=60, active=False
    )
    assert (saved.name, saved.visit_points, saved.cool_down_seconds) == ("Étoiles", 2, 60)
    assert (saved.accrual_type, saved.active) == (pb.ACCRUAL_TYPE_SPEND, False)


async def test_sq_46_a_change_leaves_all_points_as_they_are(house: House) -> None:
    """SQ-46, SQ-48: any change; what was earned stays earned."""
    await house.earn(till=pb.TillOrigin(points=3))
    await house.update_program(visit_points=9, name="Autre", points_code="2222")
    assert await house.balance() == 3


async def test_the_same_save_again_changes_nothing(house: House) -> None:
    """Without a key too: no version, no event."""
    first = await house.update_program(name="Étoiles")
    assert await house.update_program(name="Étoiles") == first
    assert [fact.version for fact in await changes_of(house, house.program.id)] == [1, 2]
    key = new_id()
    keyed = await house.update_program(name="Cœurs", idempotency_key=key)
    await house.update_program(name="Fleurs")
    assert await house.update_program(name="Cœurs", idempotency_key=key) == keyed
    assert (await changes_of(house, house.program.id))[-1].name == "Fleurs"


async def test_parallel_saves_of_two_sections_lose_neither(house: House) -> None:
    await asyncio.gather(
        house.update_program(name="Étoiles"),
        house.update_program(visit_points=4),
        house.update_program(term_one="étoile"),
        house.update_program(points_code="13579"),
    )
    request = pb.GetProgramRequest(chain_id=house.chain_id, program_id=house.program.id)
    program = (await house.stub.GetProgram(request)).program
    assert (program.name, program.visit_points, program.term_one) == ("Étoiles", 4, "étoile")
    assert ((await house.codes()).points_code, program.version) == ("13579", 5)


async def test_each_change_is_told_with_its_version(house: House) -> None:
    await house.update_program(name="Étoiles")
    facts = await changes_of(house, house.program.id)
    assert [(fact.name, fact.version, fact.active) for fact in facts] == [
        ("Vos points", 1, True),
        ("Étoiles", 2, True),
    ]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"visit_points": 0}, "number_out_of_range", "visit_points"),
        ({"visit_points": -1}, "number_out_of_range", "visit_points"),
        ({"visit_points": 1001}, "number_out_of_range", "visit_points"),
        ({"cool_down_seconds": -1}, "number_out_of_range", "cool_down_seconds"),
        ({"cool_down_seconds": 86401}, "number_out_of_range", "cool_down_seconds"),
        ({"accrual_type": 7}, "number_out_of_range", "accrual_type"),
        ({"name": "n" * 81}, "text_invalid", "name"),
        ({"name": "a\x00b"}, "text_invalid", "name"),
        ({"term_one": "t" * 41}, "text_invalid", "term_one"),
        ({"points_code": "12"}, "code_form_invalid", "points_code"),
        ({"multi_point_code": "123"}, "code_form_invalid", "multi_point_code"),
        (
            {"salon_ids": ["salon"], "replace_salon_ids": True},
            "salon_unknown",
            "salon_id",
        ),
        ({"program_id": new_id()}, "program_unknown", "program_id"),
        ({"idempotency_key": "k" * 256}, "key_invalid", "idempotency_key"),
    ],
)
async def test_a_wrong_save_is_refused_and_changes_nothing(
    house: House, changes: dict[str, Any], code: str, field: str
) -> None:
    refusal = await refusal_of(house.update_program(**changes))
    assert (refusal.code, refusal.field) == (code, field)
    request = pb.GetProgramRequest(chain_id=house.chain_id, program_id=house.program.id)
    assert (await house.stub.GetProgram(request)).program == house.program


async def test_a_chain_has_at_most_fifty_programs(house: House) -> None:
    chain = new_id()
    made = await asyncio.gather(
        *(house.create_program(chain_id=chain) for _ in range(55)), return_exceptions=True
    )
    refused: list[Any] = [each for each in made if not isinstance(each, pb.Program)]
    assert [(each.code, each.params) for each in refused] == [
        ("program_limit", {"limit": "50"})
    ] * 5
    listed = await house.stub.ListPrograms(pb.ListProgramsRequest(chain_id=chain))
    assert len(listed.programs) == 50


async def test_charlies_chain_sees_and_changes_no_program_of_chain_a(house: House) -> None:
    refused = await refusal_of(house.update_program(chain_id=house.charlies_chain, name="X"))
    assert (refused.code, refused.status) == ("program_unknown", grpc.StatusCode.NOT_FOUND)
    request = pb.GetProgramRequest(chain_id=house.charlies_chain, program_id=house.program.id)
    assert (await refusal_of(house.stub.GetProgram(request))).code == "program_unknown"
    listed = await house.stub.ListPrograms(pb.ListProgramsRequest(chain_id=house.charlies_chain))
    assert not listed.programs


async def test_salons_of_a_program_are_replaced_only_when_asked(house: House) -> None:
    one, two = new_id(), new_id()
    saved = await house.update_program(salon_ids=[one, two, one], replace_salon_ids=True)
    assert list(saved.salon_ids) == [one, two]
    saved = await house.update_program(salon_ids=[new_id()], name="Autre")
    assert list(saved.salon_ids) == [one, two]
    saved = await house.update_program(replace_salon_ids=True)
    assert list(saved.salon_ids) == []


async def test_sq_51_a_save_tells_what_is_new_and_who_made_it_so(house: House) -> None:
    """SQ-51: the sections alone; a code that is another one is told without the code."""
    await house.update_program(name="Étoiles", visit_points=3, actor=house.bob)
    await house.update_program(rules=pb.ProgramRules(expiry_policy="P3M"))
    await house.update_program(points_code="86420")
    await house.update_program(points_code="86420", name="Étoiles")
    made, *saves = await changes_of(house, house.program.id)

    assert list(made.changed) == []
    assert saves[0].actor == house.bob
    assert [list(one.changed) for one in saves] == [
        [types_pb2.PROGRAM_SECTION_NAME, types_pb2.PROGRAM_SECTION_EARNING],
        [types_pb2.PROGRAM_SECTION_EXPIRY],
        [types_pb2.PROGRAM_SECTION_CODES],
        [types_pb2.PROGRAM_SECTION_CODES],
    ]
    assert not any(b"86420" in one.SerializeToString() for one in saves)
