"""The directory: all members in pages, or those whom somebody looks for (SQ-74)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb

from tests.enrollment.conftest import Neighbours
from tests.enrollment.house import House, key, new_phone, refusal

NEWEST = pb.SearchMembersRequest.SORT_NEWEST
OLDEST = pb.SearchMembersRequest.SORT_OLDEST
BY_NAME = pb.SearchMembersRequest.SORT_NAME


async def _search(house: House, chain_id: str, query: str = "", **fields: Any) -> list[str]:
    found = await house.call.SearchMembers(
        pb.SearchMembersRequest(chain_id=chain_id, query=query, **fields)
    )
    assert found.total == len(found.members)
    return [member.given_name for member in found.members]


@pytest.fixture
async def people(house: House) -> str:
    """A chain with four members; its id."""
    made = await house.chain()
    for given, family, phone, email in (
        ("Hélène", "Tremblay", "514 555-0142", "helene.t@example.com"),
        ("Zoé", "O’Neil-Roy", "438 555-0199", ""),
        ("Marie-Ève", "Bœuf", "", "Marie_100%@Exemple.ca"),
        ("", "", "514 555-0777", ""),
    ):
        await house.enroll(
            made.chain.id, given_name=given, family_name=family, phone=phone, email=email
        )
    return made.chain.id


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tremb", ["Hélène"]),
        ("TREMBLAY", ["Hélène"]),
        ("helene", ["Hélène"]),
        ("blay", ["Hélène"]),
        ("tremblay helene", ["Hélène"]),
        ("helene tremblay", ["Hélène"]),
        ("hel tremb", ["Hélène"]),
        ("oneil", ["Zoé"]),
        ("o'neil roy", ["Zoé"]),
        ("o neil", ["Zoé"]),
        ("boeuf", ["Marie-Ève"]),
        ("marie eve", ["Marie-Ève"]),
        ("marieeve", ["Marie-Ève"]),
        ("HELENE.T@example", ["Hélène"]),
        ("_100%", ["Marie-Ève"]),
        ("%", ["Marie-Ève"]),
        ("_", ["Marie-Ève"]),
        ("\\", []),
        ("0142", ["Hélène"]),
        ("42", ["Hélène"]),
        ("514 555-0142", ["Hélène"]),
        ("+1 (514) 555-0142", ["Hélène"]),
        ("555 0199", ["Zoé"]),
        ("0777", [""]),
        ("5140", []),
        ("nobody", []),
        ("helene nobody", []),
        ("zoe\x00zz", []),
    ],
)
async def test_somebody_is_found_by_what_is_remembered_of_her(
    house: House, people: str, query: str, found: list[str]
) -> None:
    """SQ-74: name or phone, case and accents ignored, last digits or the whole phone."""
    assert await _search(house, people, query) == found


async def test_an_empty_query_lists_everybody(house: House, people: str) -> None:
    """SQ-74."""
    assert await _search(house, people) == ["", "Marie-Ève", "Zoé", "Hélène"]
    assert await _search(house, people, "   ", sort=OLDEST) == ["Hélène", "Zoé", "Marie-Ève", ""]
    assert await _search(house, people, sort=BY_NAME) == ["Marie-Ève", "Zoé", "Hélène", ""]


async def test_a_local_way_of_writing_finds_the_whole_phone(house: House) -> None:
    made = await house.chain(home_time_zone="Europe/Paris")
    await house.enroll(made.chain.id, phone="+33612345678", given_name="Ève")
    assert await _search(house, made.chain.id, "06 12 34 56 78") == ["Ève"]


@pytest.mark.parametrize("sort", [NEWEST, OLDEST, BY_NAME])
async def test_120_members_come_in_pages_each_once(
    house: House, sort: pb.SearchMembersRequest.Sort.ValueType
) -> None:
    """SQ-74: 120 clients → listed in pages."""
    made = await house.chain()
    enrolled = [
        (await house.enroll(made.chain.id, given_name="Alice", family_name=f"N{i % 7}")).member.id
        for i in range(120)
    ]
    seen: list[str] = []
    cursor = ""
    pages = 0
    while True:
        page = await house.call.SearchMembers(
            pb.SearchMembersRequest(chain_id=made.chain.id, query="alice", sort=sort, cursor=cursor)
        )
        assert page.total == 120 + (1 if pages else 0)
        seen += [member.id for member in page.members]
        pages += 1
        if not page.cursor:
            break
        cursor = page.cursor
        if pages == 1:
            # Somebody who comes in between must not shift the pages.
            late = await house.enroll(made.chain.id, given_name="Alice", family_name="N0")
    assert pages == 3
    assert len(seen) == len(set(seen))
    assert set(seen) - {late.member.id} == set(enrolled)
    if sort == NEWEST:
        assert seen == list(reversed(enrolled))


async def test_a_cursor_holds_no_name_and_fits_its_own_question_only(
    house: House, people: str, neighbours: Neighbours
) -> None:
    request = pb.SearchMembersRequest(chain_id=people, limit=1, sort=BY_NAME)
    cursor = (await house.call.SearchMembers(request)).cursor
    assert cursor
    assert b"boeuf" not in base64.urlsafe_b64decode(cursor)
    for wrong in (
        pb.SearchMembersRequest(chain_id=people, limit=1, sort=NEWEST, cursor=cursor),
        pb.SearchMembersRequest(
            chain_id=neighbours.b.chain.id, limit=1, sort=BY_NAME, cursor=cursor
        ),
        pb.SearchMembersRequest(chain_id=people, query="e", limit=1, sort=BY_NAME, cursor=cursor),
        pb.SearchMembersRequest(chain_id=people, sort=BY_NAME, cursor=cursor[:-4] + "AAAA"),
        pb.SearchMembersRequest(chain_id=people, sort=BY_NAME, cursor="page-2"),
        pb.SearchMembersRequest(chain_id=people, sort=BY_NAME, cursor="é"),
        pb.SearchMembersRequest(chain_id=people, sort=BY_NAME, cursor="A" * 100_000),
    ):
        refused = await refusal(house.call.SearchMembers(wrong))
        assert (refused.code, refused.field) == ("cursor_invalid", "cursor")


async def test_pages_and_queries_have_limits(house: House, people: str) -> None:
    for limit in (-1, 201, 2**31 - 1):
        refused = await refusal(
            house.call.SearchMembers(pb.SearchMembersRequest(chain_id=people, limit=limit))
        )
        assert (refused.code, refused.params["max"]) == ("limit_invalid", "200")
    for query in ("x" * 101, "a b c d e f g h i", "y" * 1_000_000):
        refused = await refusal(
            house.call.SearchMembers(pb.SearchMembersRequest(chain_id=people, query=query))
        )
        assert (refused.code, refused.field) == ("query_invalid", "query")
    unknown = await refusal(house.call.SearchMembers(pb.SearchMembersRequest(chain_id=key())))
    assert unknown.code == "not_found"


async def test_a_changed_name_is_found_at_once(house: House, people: str) -> None:
    (helene,) = (
        await house.call.SearchMembers(pb.SearchMembersRequest(chain_id=people, query="tremb"))
    ).members
    phone = new_phone()
    await house.call.UpdateMember(
        pb.UpdateMemberRequest(
            chain_id=people, member_id=helene.id, family_name="Gagné", phone=phone
        )
    )
    assert await _search(house, people, "gagne") == ["Hélène"]
    assert await _search(house, people, phone) == ["Hélène"]
    assert await _search(house, people, "tremb") == []
    assert await _search(house, people, "0142") == []


async def test_charlie_finds_nobody_of_alices_chain(
    house: House, people: str, neighbours: Neighbours
) -> None:
    """SQ-74: another chain's client → none."""
    assert await _search(house, neighbours.b.chain.id, "tremb") == []
    assert await _search(house, neighbours.b.chain.id) == []


async def test_the_longest_names_of_the_widest_signs_can_be_kept_and_found(house: House) -> None:
    made = await house.chain()
    # U+FDFA unfolds into eighteen letters: the longest that eighty characters can become.
    await house.enroll(made.chain.id, given_name="\ufdfa" * 80, family_name="\ufdfa" * 80)
    await house.enroll(made.chain.id, given_name="理" * 80, family_name="髪 " * 40)
    assert len(await _search(house, made.chain.id)) == 2
    assert await _search(house, made.chain.id, "理") == ["理" * 80]
