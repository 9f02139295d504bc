"""Codes, scans and multi-points: rows M1 to M16 of the worked examples, LS-01 to LS-08."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from loyalty.points.v1 import points_pb2 as pb

from services.chassis.errors import RemoteRefusal
from services.points.domain.codes import CodeKind, checked_code
from services.points.domain.errors import CodeFormInvalid
from tests.points.house import MULTI_POINT_CODE, POINTS_CODE, House, new_id, refusal_of, stamp


def typed(points: int, points_code: str = POINTS_CODE, multi: str = "") -> pb.TypedCodeOrigin:
    return pb.TypedCodeOrigin(points_code=points_code, points=points, multi_point_code=multi)


async def test_m1_one_scan_is_one_point(house: House) -> None:
    """M1, LS-24: balance 0, scan, balance 1."""
    earned = await house.earn(scan=await house.scan())
    assert (earned.balance, earned.already_counted) == (1, False)
    assert earned.entry.source == pb.EARN_SOURCE_SCAN
    assert earned.entry.salon_id == house.salon_id
    assert await house.balance() == 1


async def test_m2_a_granted_scan_gives_all_points_in_one_event(house: House) -> None:
    """M2, LS-25: N = 5, right code, "Entrer", scan: +5 in one entry and one event."""
    grant_id = await house.grant(5)
    earned = await house.earn(scan=await house.scan(grant_id=grant_id))
    assert (earned.entry.points, earned.balance) == (5, 5)
    assert earned.entry.source == pb.EARN_SOURCE_MULTI_POINT_SCAN
    assert [event.points for event in await house.events()] == [5]


async def test_m3_a_wrong_multi_point_code_opens_no_grant(house: House) -> None:
    """M3, LS-25: refused, +0, nothing to scan with."""
    refusal = await refusal_of(
        house.stub.GrantMultiPoint(house.grant_request(5, multi_point_code="0000"))
    )
    assert (refusal.code, refusal.field) == ("code_invalid", "multi_point_code")
    grants = await house.deps.pool.fetchval(
        "SELECT count(*) FROM multi_point_grant WHERE chain_id = $1", house.chain_id
    )
    assert (grants, await house.balance()) == (0, 0)


async def test_m4_a_grant_that_nobody_scans_gives_nothing(house: House) -> None:
    """M4, LS-25: right code, no scan, +0; after two minutes of real time the scan is too late."""
    grant_id = await house.grant(5)
    assert await house.balance() == 0
    house.later(119)
    token = await house.earn_token()
    house.later(1)
    refusal = await house.refused(scan=pb.ScanOrigin(earn_token=token, grant_id=grant_id))
    assert (refusal.code, await house.balance()) == ("grant_invalid", 0)


async def test_m5_one_point_needs_no_code(house: House) -> None:
    """M5, LS-01: one point by scan needs no code, and a grant of one point is none."""
    assert (await house.earn(scan=await house.scan())).entry.points == 1
    refusal = await refusal_of(house.stub.GrantMultiPoint(house.grant_request(1)))
    assert (refusal.code, refusal.field) == ("points_invalid", "points")


async def test_m6_the_typed_points_code_gives_one_point(house: House) -> None:
    """M6, LS-04, LS-26, LS-28: 407 and 1 point: +1, source MANUAL_CODE."""
    earned = await house.earn(typed_code=typed(1))
    assert (earned.entry.points, earned.balance) == (1, 1)
    assert earned.entry.source == pb.EARN_SOURCE_MANUAL_CODE


async def test_m7_several_typed_points_need_the_multi_point_code(house: House) -> None:
    """M7, LS-27, LS-01: 407 and 3 points without it: code_required."""
    refusal = await house.refused(typed_code=typed(3))
    assert (refusal.code, refusal.field) == ("code_required", "multi_point_code")
    assert await house.balance() == 0


async def test_m8_both_codes_give_several_points(house: House) -> None:
    """M8, LS-27, LS-48: 407, 3 and 9182: +3, with a line in the audit."""
    earned = await house.earn(typed_code=typed(3, multi=MULTI_POINT_CODE))
    assert (earned.entry.points, earned.balance) == (3, 3)
    lines = await house.deps.pool.fetch(
        "SELECT way, points, subject_id FROM multi_point_audit WHERE chain_id = $1",
        house.chain_id,
    )
    assert [(line["way"], line["points"], str(line["subject_id"])) for line in lines] == [
        ("typed_code", 3, earned.entry.id)
    ]


async def test_m9_a_wrong_points_code_is_refused(house: House) -> None:
    """M9, LS-04, LS-27: 408, 3 and 9182: code_invalid; so is a wrong multi-point code."""
    wrong_points = await house.refused(typed_code=typed(3, "408", MULTI_POINT_CODE))
    wrong_multi = await house.refused(typed_code=typed(3, multi="9183"))
    assert (wrong_points.code, wrong_points.field) == ("code_invalid", "points_code")
    assert (wrong_multi.code, wrong_multi.field) == ("code_invalid", "multi_point_code")
    assert await house.balance() == 0
    assert await house.keys() == 0


@pytest.mark.parametrize("points", [0, -2, 101, 2**31 - 1])
async def test_m10_no_such_number_of_points(house: House, points: int) -> None:
    """M10: 0, −2 and too many are refused with the field; 2.5 and "abc" do not fit the wire."""
    refusal = await house.refused(typed_code=typed(points, multi=MULTI_POINT_CODE))
    assert (refusal.code, refusal.field) == ("points_invalid", "points")
    assert refusal.params == {"minimum": "1", "maximum": "100"}
    for unfit in (2.5, "abc"):
        with pytest.raises(TypeError):
            pb.TypedCodeOrigin(points=unfit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "code", "good"),
    [
        (CodeKind.POINTS, "12345678", True),
        (CodeKind.POINTS, "00001234", True),
        (CodeKind.POINTS, "000", True),
        (CodeKind.POINTS, "123456789", False),
        (CodeKind.POINTS, "12a", False),
        (CodeKind.POINTS, "12", False),
        (CodeKind.POINTS, "", False),
        (CodeKind.POINTS, "١٢٣", False),
        (CodeKind.POINTS, "123\n", False),
        (CodeKind.MULTI_POINT, "9182", True),
        (CodeKind.MULTI_POINT, "12345678", True),
        (CodeKind.MULTI_POINT, "918", False),
        (CodeKind.MULTI_POINT, "123456789", False),
        (CodeKind.MULTI_POINT, "91 82", False),
    ],
)
def test_m11_codes_are_of_so_many_digits(kind: CodeKind, code: str, good: bool) -> None:
    """M11, LS-06, D39: 3 to 8 digits, 4 to 8 for the multi-point code; zeros are kept."""
    if good:
        assert checked_code(kind, code) == code
    else:
        with pytest.raises(CodeFormInvalid) as refused:
            checked_code(kind, code)
        assert refused.value.field == f"{kind.value}_code"


async def test_m11_the_owner_sets_the_points_code(house: House) -> None:
    """M11, LS-06: leading zeros are kept; a refused code changes nothing."""
    await house.update_program(points_code="00001234")
    for bad in ("123456789", "12a4", ""):
        refusal = await refusal_of(house.update_program(points_code=bad))
        assert (refusal.code, refusal.field) == ("code_form_invalid", "points_code")
    assert (await house.codes()).points_code == "00001234"
    assert (await house.earn(typed_code=typed(1, "00001234"))).balance == 1
    assert (await house.refused(typed_code=typed(1, "1234"))).code == "code_invalid"


async def test_m12_a_changed_multi_point_code_holds_at_once(house: House) -> None:
    """M12, LS-02: 1111 is saved, 9182 is refused; another program keeps its own."""
    other = await house.create_program(name="Deuxième")
    await house.update_program(multi_point_code="1111")
    refusal = await refusal_of(house.stub.GrantMultiPoint(house.grant_request(2)))
    assert refusal.code == "code_invalid"
    await house.grant(2, multi_point_code="1111")
    await house.grant(2, program_id=other.id)


async def test_m13_the_tablet_gives_exactly_one_point(house: House) -> None:
    """M13, LS-11, LS-14: +1 whatever a scan gives; source, time and salon stand in the history."""
    await house.update_program(visit_points=7)
    for _ in range(2):
        await house.earn(tablet=pb.TabletOrigin())
    entries = await house.entries()
    assert [(entry.points, entry.source) for entry in entries] == [
        (1, pb.EARN_SOURCE_TABLET),
        (1, pb.EARN_SOURCE_TABLET),
    ]
    assert {entry.salon_id for entry in entries} == {house.salon_id}
    assert all(entry.occurred_at == stamp(house.clock.at) for entry in entries)
    assert not pb.TabletOrigin.DESCRIPTOR.fields


async def test_m14_by_hand_no_code_is_asked(house: House) -> None:
    """M14, LS-73: −1 on 5 leaves 4."""
    await house.earn(till=pb.TillOrigin(points=5))
    assert (await house.adjust(-1)).balance == 4


async def test_m15_two_scans_of_one_visit_count_once(house: House) -> None:
    """M15, N11, D12: within the cool-down the second scan is answered with the first entry."""
    await house.update_program(cool_down_seconds=900)
    first = await house.earn(scan=await house.scan())
    house.later(30)
    second = await house.earn(scan=await house.scan())
    assert (second.already_counted, second.entry) == (True, first.entry)
    assert await house.balance() == 1
    house.later(871)
    assert not (await house.earn(scan=await house.scan())).already_counted
    assert await house.balance() == 2


async def test_m16_another_chains_points_code_is_just_wrong(house: House) -> None:
    """M16: code 555 is chain B's; typed in chain A it is answered like one that is nobody's."""
    await house.create_program(chain_id=house.charlies_chain, points_code="555")
    foreign = await house.refused(typed_code=typed(1, "555"))
    nobodys = await house.refused(typed_code=typed(1, "556"))
    assert foreign == nobodys
    assert foreign.code == "code_invalid"


async def test_the_cool_down_joins_scan_tablet_and_typed_code(house: House) -> None:
    """D12: one visit, whatever the way; a multi-point earn is vouched for by staff and counts."""
    await house.update_program(cool_down_seconds=900)
    await house.earn(tablet=pb.TabletOrigin())
    assert (await house.earn(scan=await house.scan())).already_counted
    assert (await house.earn(typed_code=typed(1))).already_counted
    grant_id = await house.grant(2)
    assert not (await house.earn(scan=await house.scan(grant_id=grant_id))).already_counted
    assert not (await house.earn(typed_code=typed(2, multi=MULTI_POINT_CODE))).already_counted
    assert not (await house.earn(till=pb.TillOrigin(points=3))).already_counted
    assert await house.balance() == 8


async def test_two_scans_of_one_visit_in_one_batch_count_once(house: House) -> None:
    """N11: the second is answered with the entry that the same batch writes."""
    await house.update_program(cool_down_seconds=900)
    scan = await house.scan()
    outcomes = await house.earn_all([house.item(scan=scan), house.item(scan=scan)])
    assert [outcome.earned.already_counted for outcome in outcomes] == [False, True]
    assert outcomes[0].earned.entry == outcomes[1].earned.entry


async def test_an_answer_of_already_counted_is_kept_too(house: House) -> None:
    """The resend of a scan that was one with an earlier visit gets the same answer, much later."""
    await house.update_program(cool_down_seconds=900)
    await house.earn(scan=await house.scan())
    second = house.item(scan=await house.scan())
    (first_answer,) = await house.earn_all([second])
    house.later(3600)
    (again,) = await house.earn_all([second])
    assert again == first_answer
    assert again.earned.already_counted


async def test_a_grant_is_used_once(house: House) -> None:
    """LS-25: the business key beside the request key; the second scan gets the first entry."""
    grant_id = await house.grant(5)
    scan = await house.scan(grant_id=grant_id)
    first = await house.earn(scan=scan)
    second = await house.earn(scan=scan)
    assert (second.already_counted, second.entry) == (True, first.entry)
    assert await house.balance() == 5


async def test_two_scans_of_one_grant_in_one_batch_count_once(house: House) -> None:
    scan = await house.scan(grant_id=await house.grant(5))
    outcomes = await house.earn_all([house.item(scan=scan) for _ in range(3)])
    assert [outcome.earned.already_counted for outcome in outcomes] == [False, True, True]
    assert await house.balance() == 5


async def test_a_grant_is_bound_to_session_member_and_program(house: House) -> None:
    """LS-25, D39: on another phone, for another member or program it opens nothing."""
    grant_id = await house.grant(5)
    scan = await house.scan(grant_id=grant_id)
    other = await house.create_program(name="Deuxième")
    elsewhere = pb.ScanOrigin(
        earn_token=await house.earn_token(program_id=other.id), grant_id=grant_id
    )
    assert (await house.refused(scan=scan, session_id=new_id())).code == "grant_invalid"
    assert (await house.refused(scan=scan, member_id=new_id())).code == "grant_invalid"
    assert (await house.refused(scan=elsewhere, program_id=other.id)).code == "grant_invalid"
    unknown = await house.scan(grant_id=new_id())
    assert (await house.refused(scan=unknown)).code == "grant_invalid"
    assert (await house.refused(scan=await house.scan(grant_id="x"))).code == "grant_invalid"
    assert (await house.earn(scan=scan)).balance == 5


async def test_each_grant_leaves_a_line_in_the_audit(house: House) -> None:
    """LS-25, reliability 3: who, when, how many; nobody may change it."""
    grant_id = await house.grant(5)
    line = await house.deps.pool.fetchrow(
        """
        SELECT way, points, member_id, session_id, program_id, subject_id
        FROM multi_point_audit WHERE chain_id = $1
        """,
        house.chain_id,
    )
    assert line is not None
    assert (line["way"], line["points"], line["session_id"]) == ("grant", 5, house.session_id)
    assert (str(line["member_id"]), str(line["subject_id"])) == (house.alice, grant_id)


async def test_the_code_of_one_point_never_opens_many(house: House) -> None:
    """LS-01, D39: a program's two codes differ from the start, whichever is changed."""
    before = await house.codes()
    for wish in (
        {"points_code": before.multi_point_code},
        {"multi_point_code": "5555", "points_code": "5555"},
    ):
        with pytest.raises(RemoteRefusal) as refused:
            await house.update_program(**wish)
        assert (refused.value.code, refused.value.field) == ("codes_alike", "multi_point_code")
    assert await house.codes() == before
    with pytest.raises(RemoteRefusal) as refused:
        await house.create_program(points_code="4444", multi_point_code="4444")
    assert refused.value.code == "codes_alike"


async def test_ls_05_a_new_program_has_a_points_code_of_three_digits(house: House) -> None:
    """LS-05, D39: 3 digits and 6, drawn anew each time; the owner is told that 3 are few."""
    made = [await house.create_program(points_code=None, multi_point_code=None) for _ in range(4)]
    codes = [await house.codes(program.id) for program in made]
    assert all(len(each.points_code) == 3 and each.points_code.isdigit() for each in codes)
    assert all(
        len(each.multi_point_code) == 6 and each.multi_point_code.isdigit() for each in codes
    )
    assert len({each.multi_point_code for each in codes}) > 1
    assert all(program.points_code_is_short for program in made)
    assert not (await house.update_program(points_code="12345")).points_code_is_short


async def test_ls_07_the_earn_token_does_not_change_with_the_codes(house: House) -> None:
    """LS-07: "ce sont 2 choses différentes": the printed QR stays, byte for byte."""
    before = await house.earn_token()
    await house.update_program(points_code="98765", multi_point_code="4321", name="Autre")
    assert await house.earn_token() == before


async def test_ls_08_no_answer_event_or_row_shows_a_code(house: House) -> None:
    """LS-03, LS-08: only GetProgramCodes does; the database holds sealed bytes."""
    secret = {"points_code": "73519", "multi_point_code": "846207"}
    program = await house.create_program(**secret)
    token = await house.earn_token(program_id=program.id)
    payloads = await house.deps.pool.fetch(
        "SELECT payload FROM outbox WHERE chain_id = $1", house.chain_id
    )
    row = await house.deps.pool.fetchrow(
        "SELECT points_code, multi_point_code FROM program WHERE chain_id = $1 AND id = $2",
        house.chain_id,
        program.id,
    )
    assert row is not None
    keys = await house.deps.pool.fetch(
        "SELECT fingerprint, answer FROM idempotency WHERE chain_id = $1", house.chain_id
    )
    seen = [program.SerializeToString(), token.encode(), *row.values()]
    seen += [payload["payload"] for payload in payloads]
    seen += [value for key in keys for value in key.values()]
    for code in secret.values():
        assert all(code.encode() not in each for each in seen)
    found = await house.codes(program.id)
    assert (found.points_code, found.multi_point_code) == ("73519", "846207")


async def test_a_scanned_token_is_bound_to_its_chain(house: House) -> None:
    """LS-23: altered, foreign or of another program: earn_token_invalid, and nothing else."""
    token = await house.earn_token()
    other = await house.create_program(name="Deuxième")
    altered = token[:-2] + ("AA" if token[-2:] != "AA" else "BB")
    for bad in (altered, "", "é", token + "A", "x" * 1_000_000):
        assert (
            await house.refused(scan=pb.ScanOrigin(earn_token=bad))
        ).code == "earn_token_invalid"
    for changes in (
        {"program_id": other.id},
        {"chain_id": house.charlies_chain, "program_id": None},
    ):
        refusal = await house.refused(scan=pb.ScanOrigin(earn_token=token), **changes)
        assert refusal.code == "earn_token_invalid"
    read = await house.stub.ReadEarnToken(
        pb.ReadEarnTokenRequest(chain_id=house.chain_id, earn_token=token)
    )
    assert (read.program_id, read.salon_id) == (house.program.id, house.salon_id)
    foreign = await refusal_of(
        house.stub.ReadEarnToken(
            pb.ReadEarnTokenRequest(chain_id=house.charlies_chain, earn_token=token)
        )
    )
    assert foreign.code == "earn_token_invalid"


async def test_a_scan_takes_program_and_salon_from_its_token(house: House) -> None:
    """LS-23, D23: a phone says neither."""
    other = await house.create_program(name="Deuxième", visit_points=3)
    token = await house.earn_token(program_id=other.id)
    earned = await house.earn(
        scan=pb.ScanOrigin(earn_token=token), program_id=None, salon_id=new_id()
    )
    assert (earned.entry.program_id, earned.entry.salon_id) == (other.id, house.salon_id)
    assert earned.entry.points == 3


async def test_the_sixth_wrong_code_has_to_wait(house: House) -> None:
    """D39: five in 15 minutes for a member; then RATE_LIMITED, for the right code too."""
    for _ in range(5):
        assert (await house.refused(typed_code=typed(1, "999"))).code == "code_invalid"
    sixth = await house.refused(typed_code=typed(1), session_id=new_id())
    assert sixth.code == "RATE_LIMITED"
    assert 0 < sixth.retry_after_seconds <= 900
    stranger = new_id()
    assert (await house.refused(typed_code=typed(1), member_id=stranger)).code == "RATE_LIMITED"
    assert (await house.earn(scan=await house.scan())).balance == 1
    free = await house.earn(typed_code=typed(1), member_id=stranger, session_id=new_id())
    assert free.balance == 1


async def test_a_right_code_forgives_the_wrong_ones_before_it(house: House) -> None:
    for _ in range(3):
        for _ in range(4):
            assert (await house.refused(typed_code=typed(1, "999"))).code == "code_invalid"
        await house.earn(typed_code=typed(1))


async def test_the_counters_of_the_two_codes_are_apart(house: House) -> None:
    """Reliability 3: knowing the points code buys no guesses at the multi-point code."""
    for _ in range(5):
        refusal = await house.refused(typed_code=typed(2, multi="0000"))
        assert (refusal.code, refusal.field) == ("code_invalid", "multi_point_code")
        await house.earn(typed_code=typed(1))
    blocked = await house.refused(typed_code=typed(2, multi=MULTI_POINT_CODE))
    assert (blocked.code, blocked.field) == ("RATE_LIMITED", "multi_point_code")
    grant = await refusal_of(house.stub.GrantMultiPoint(house.grant_request(2)))
    assert (grant.code, grant.status) == ("RATE_LIMITED", grpc.StatusCode.RESOURCE_EXHAUSTED)
    await house.earn(typed_code=typed(1))


async def test_a_resend_is_answered_whatever_became_of_code_and_counter(house: House) -> None:
    """The first answer again, though the code has changed and no guess is left."""
    item = house.item(typed_code=typed(1))
    (first,) = await house.earn_all([item])
    await house.update_program(points_code="55555")
    for _ in range(5):
        await house.refused(typed_code=typed(1, "999"))
    (again,) = await house.earn_all([item])
    assert again == first
    assert (await house.refused(typed_code=typed(1, "55555"))).code == "RATE_LIMITED"


async def test_a_resend_forgives_no_wrong_guesses(house: House) -> None:
    """Else an old success would buy endless guesses at a new code."""
    item = house.item(typed_code=typed(1))
    await house.earn_all([item])
    await house.update_program(points_code="55555")
    refusals = []
    for _ in range(4):
        refusals.append((await house.refused(typed_code=typed(1, "999"))).code)
        await house.earn_all([item])
    assert refusals[-1] == "RATE_LIMITED"


async def test_a_hundred_wrong_codes_in_a_row_stop_an_account(house: House) -> None:
    """Reliability 3: a hard stop, which a new code of the program lifts; scans go on."""
    await house.refused(typed_code=typed(1, "999"))
    await house.deps.pool.execute(
        "UPDATE code_failure SET consecutive = 100 WHERE chain_id = $1", house.chain_id
    )
    assert (await house.refused(typed_code=typed(1))).code == "codes_locked"
    await house.earn(scan=await house.scan())
    await house.update_program(points_code="2468")
    assert (await house.earn(typed_code=typed(1, "2468"))).balance == 2


async def test_wrong_codes_in_a_row_are_counted_by_kind(house: House) -> None:
    await house.refused(typed_code=typed(1, "999"))
    await house.refused(typed_code=typed(2, multi="0000"))
    await refusal_of(house.stub.GrantMultiPoint(house.grant_request(5, multi_point_code="0000")))
    rows = await house.deps.pool.fetch(
        "SELECT kind, consecutive FROM code_failure WHERE chain_id = $1", house.chain_id
    )
    # The right points code before the wrong multi-point code ended the first row.
    assert {row["kind"]: row["consecutive"] for row in rows} == {"multi_point": 2}


async def test_the_owner_sees_how_many_codes_were_wrong(house: House) -> None:
    """D39: a ceiling per chain that alerts; for a day the owner sees the number."""
    for member in range(12):
        await house.refused(
            typed_code=typed(1, "999"), member_id=new_id(), session_id=f"phone-{member}"
        )
    request = pb.GetProgramCodesRequest(chain_id=house.chain_id, program_id="main")
    assert (await house.stub.GetProgramCodes(request)).code_failures == 12
    house.later(25 * 3600)
    assert (await house.stub.GetProgramCodes(request)).code_failures == 0


async def test_a_wrong_code_opens_no_account(house: House) -> None:
    stranger = new_id()
    await house.refused(typed_code=typed(1, "999"), member_id=stranger)
    found = await house.stub.SearchAccounts(
        pb.SearchAccountsRequest(chain_id=house.chain_id, member_ids=[stranger])
    )
    assert not found.accounts


async def test_parallel_guesses_are_all_counted(house: House) -> None:
    """Twenty at once get five answers; the rest has to wait."""
    outcomes = await asyncio.gather(
        *(house.refused(typed_code=typed(1, f"{guess:03d}")) for guess in range(20))
    )
    codes = sorted(outcome.code for outcome in outcomes)
    assert codes == ["RATE_LIMITED"] * 15 + ["code_invalid"] * 5


async def test_the_codes_of_a_foreign_program_are_unknown(house: House) -> None:
    """Charlie's chain sees neither codes nor program of chain A."""
    request = pb.GetProgramCodesRequest(chain_id=house.charlies_chain, program_id=house.program.id)
    with pytest.raises(RemoteRefusal) as refused:
        await house.stub.GetProgramCodes(request)
    assert refused.value.code == "program_unknown"
    assert refused.value.status is grpc.StatusCode.NOT_FOUND
