"""Rules of programs over the wire: accrual, expiry, tiers, refunds (SQ-46, SQ-47, SQ-53, SQ-64)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from loyalty.points.v1 import points_pb2 as pb

from tests.points.house import House, new_id, refusal_of, stamp

SPEND = pb.AccrualRule(
    type=pb.ACCRUAL_TYPE_SPEND,
    points=1,
    amount_minor=1000,
    tax_mode=pb.TAX_MODE_AFTER_TAX,
    excluded_category_ids=["coloration"],
    excluded_item_ids=["shampoing", "brosse"],
)
VISIT = pb.AccrualRule(type=pb.ACCRUAL_TYPE_VISIT, points=2, minimum_minor=2000)
COUPE = pb.AccrualRule(type=pb.ACCRUAL_TYPE_ITEM_VARIATION, points=3, variation_id="coupe")
SOINS = pb.AccrualRule(type=pb.ACCRUAL_TYPE_CATEGORY, points=5, category_id="soins")
# Below, in between, on top (examples.md 4).
BASE = pb.Tier(name="Base", threshold=0)
ARGENT = pb.Tier(name="Argent", threshold=500, multiplier="1.25")
OR = pb.Tier(name="Or", threshold=1000, multiplier="1.50")


async def save(house: House, **rules: Any) -> pb.Program:
    return await house.update_program(rules=pb.ProgramRules(**rules))


async def stored(house: House) -> pb.Program:
    request = pb.GetProgramRequest(chain_id=house.chain_id, program_id=house.program.id)
    return (await house.stub.GetProgram(request)).program


async def test_sq_53_rules_are_answered_as_they_were_saved(house: House) -> None:
    """SQ-53: what is excluded from spending; every type with its own data, the first leads."""
    saved = await save(house, accrual_rules=[SPEND, VISIT, COUPE, SOINS])
    spend, visit, coupe, soins = saved.accrual_rules
    assert list(spend.excluded_item_ids) == ["brosse", "shampoing"]
    assert (spend.amount_minor, spend.tax_mode) == (1000, pb.TAX_MODE_AFTER_TAX)
    assert list(spend.excluded_category_ids) == ["coloration"]
    assert (visit.points, visit.minimum_minor, visit.tax_mode) == (2, 2000, pb.TAX_MODE_BEFORE_TAX)
    assert (coupe, soins) == (COUPE, SOINS)
    assert saved.accrual_type == pb.ACCRUAL_TYPE_SPEND
    assert await stored(house) == saved
    assert await save(house, accrual_rules=[SPEND, VISIT, COUPE, SOINS]) == saved


async def test_a_program_is_created_with_rules_of_its_own(house: House) -> None:
    """They say more than the card; what is left out takes its default."""
    values: dict[str, Any] = {
        "idempotency_key": new_id(),
        "accrual_type": pb.ACCRUAL_TYPE_SPEND,
        "rules": pb.ProgramRules(
            accrual_rules=[VISIT],
            expiry_policy="P12M",
            tiers=pb.Tiers(tiers=[OR, BASE]),
            refunds=pb.RefundSettings(debt_rule=pb.DEBT_RULE_CLAMP_ZERO),
        ),
    }
    made = await house.create_program(**values)
    assert (made.accrual_type, made.visit_points, made.version) == (pb.ACCRUAL_TYPE_VISIT, 2, 1)
    assert made.expiry_policy == "P12M"
    assert [(tier.name, tier.multiplier) for tier in made.tiers] == [("Base", "1"), ("Or", "1.5")]
    assert made.tiers_launched_at == stamp(house.clock.now())
    assert made.refunds == pb.RefundSettings(
        visit_refund_basis=pb.VISIT_REFUND_BASIS_REMAINING,
        debt_rule=pb.DEBT_RULE_CLAMP_ZERO,
        reward_on_refund=pb.REWARD_ON_REFUND_RETURN,
    )
    assert await house.create_program(**values) == made
    values["rules"].expiry_policy = "P6M"
    assert (await refusal_of(house.create_program(**values))).code == "IDEMPOTENCY_KEY_REUSED"


async def test_a_program_of_which_nothing_is_said_earns_by_visits(house: House) -> None:
    assert list(house.program.accrual_rules) == [
        pb.AccrualRule(type=pb.ACCRUAL_TYPE_VISIT, points=1, tax_mode=pb.TAX_MODE_BEFORE_TAX)
    ]
    assert (house.program.expiry_policy, len(house.program.tiers)) == ("never", 0)
    assert not house.program.HasField("tiers_launched_at")
    card = await house.update_program(accrual_type=pb.ACCRUAL_TYPE_SPEND)
    assert [(rule.points, rule.amount_minor) for rule in card.accrual_rules] == [(1, 100)]
    for accrual_type in (pb.ACCRUAL_TYPE_ITEM_VARIATION, pb.ACCRUAL_TYPE_CATEGORY):
        refusal = await refusal_of(house.update_program(accrual_type=accrual_type))
        assert (refusal.code, refusal.field) == ("rule_incomplete", "accrual_rules")


async def test_sq_47_each_section_of_the_rules_leaves_the_others(house: House) -> None:
    """SQ-47: one save, one version; every other section as it was."""
    sections: list[dict[str, Any]] = [
        {"accrual_rules": [SPEND]},
        {"expiry_policy": "P3M"},
        {"tiers": pb.Tiers(tiers=[BASE, ARGENT])},
        {"refunds": pb.RefundSettings(reward_on_refund=pb.REWARD_ON_REFUND_KEEP)},
        {"refunds": pb.RefundSettings(debt_rule=pb.DEBT_RULE_CLAMP_ZERO)},
    ]
    before = house.program
    for section in sections:
        after = await save(house, **section)
        assert after.version == before.version + 1
        (saved,) = section
        names = {"accrual_rules": ["accrual_rules", "accrual_type"], "tiers": ["tiers"]}
        changed = {*names.get(saved, [saved]), "tiers_launched_at", "version", "updated_at"}
        for field in pb.Program.DESCRIPTOR.fields:
            if field.name not in changed:
                assert getattr(after, field.name) == getattr(before, field.name), field.name
        before = after
    assert before.refunds == pb.RefundSettings(
        visit_refund_basis=pb.VISIT_REFUND_BASIS_REMAINING,
        debt_rule=pb.DEBT_RULE_CLAMP_ZERO,
        reward_on_refund=pb.REWARD_ON_REFUND_KEEP,
    )
    renamed = await house.update_program(name="Étoiles")
    assert renamed.accrual_rules == before.accrual_rules
    assert (renamed.tiers, renamed.expiry_policy) == (before.tiers, before.expiry_policy)


async def test_parallel_saves_of_rule_sections_lose_none(house: House) -> None:
    """SQ-47, when two owners press "Enregistrer" at once."""
    await asyncio.gather(
        save(house, accrual_rules=[SPEND]),
        save(house, expiry_policy="P3M"),
        save(house, tiers=pb.Tiers(tiers=[BASE, ARGENT])),
        house.update_program(name="Étoiles"),
    )
    found = await stored(house)
    assert found.accrual_type == pb.ACCRUAL_TYPE_SPEND
    assert (found.expiry_policy, len(found.tiers), found.name) == ("P3M", 2, "Étoiles")
    assert found.version == 5


async def test_sq_46_no_change_of_rules_touches_a_balance(house: House) -> None:
    """SQ-46: the rate, the expiry and the tiers; old lots keep the policy of their day (SQ-65)."""
    await house.earn(till=pb.TillOrigin(points=7))
    lots = "SELECT policy, expires_at, remaining FROM lot WHERE chain_id = $1"
    before = await house.deps.pool.fetch(lots, house.chain_id)
    await save(house, accrual_rules=[SPEND], expiry_policy="P1M")
    await save(house, tiers=pb.Tiers(tiers=[BASE, ARGENT]))
    await house.update_program(visit_points=9)
    assert await house.balance() == 7
    assert await house.deps.pool.fetch(lots, house.chain_id) == before


async def test_points_of_a_visit_are_one_number_in_both_places(house: House) -> None:
    saved = await house.update_program(visit_points=4)
    assert (saved.visit_points, saved.accrual_rules[0].points) == (4, 4)
    saved = await save(house, accrual_rules=[VISIT, COUPE])
    assert (saved.visit_points, saved.accrual_rules[0].points) == (2, 2)
    saved = await house.update_program(visit_points=5)
    assert saved.accrual_rules[0].minimum_minor == 2000
    assert [rule.points for rule in saved.accrual_rules] == [5, 3]


@pytest.mark.parametrize("type_", ["VISIT", "ITEM_VARIATION", "CATEGORY"])
@pytest.mark.parametrize("part", ["excluded_category_ids", "excluded_item_ids"])
async def test_sq_57_only_spending_excludes(house: House, type_: str, part: str) -> None:
    """SQ-57: a visit, an item or a category excludes nothing."""
    own: dict[str, dict[str, Any]] = {
        "VISIT": {},
        "ITEM_VARIATION": {"variation_id": "coupe"},
        "CATEGORY": {"category_id": "soins"},
    }
    rule = pb.AccrualRule(
        type=pb.AccrualType.Value(f"ACCRUAL_TYPE_{type_}"), points=1, **own[type_]
    )
    getattr(rule, part).append("coloration")
    refusal = await refusal_of(save(house, accrual_rules=[SPEND, rule]))
    assert (refusal.code, refusal.field) == ("exclusion_not_allowed", "accrual_rules[1].spend_data")
    assert await stored(house) == house.program


@pytest.mark.parametrize(
    ("rules", "code", "field"),
    [
        ({"accrual_rules": [pb.AccrualRule(points=1)]}, "rule_type_unknown", "accrual_type"),
        (
            {"accrual_rules": [pb.AccrualRule(type=pb.ACCRUAL_TYPE_VISIT)]},
            "rule_incomplete",
            "points",
        ),
        (
            {"accrual_rules": [pb.AccrualRule(type=pb.ACCRUAL_TYPE_SPEND, points=1)]},
            "rule_incomplete",
            "spend_data.amount_money",
        ),
        (
            {
                "accrual_rules": [
                    pb.AccrualRule(type=pb.ACCRUAL_TYPE_VISIT, points=1, variation_id="coupe")
                ]
            },
            "rule_field_foreign",
            "item_variation_data",
        ),
        (
            {
                "accrual_rules": [
                    pb.AccrualRule(
                        type=pb.ACCRUAL_TYPE_CATEGORY,
                        points=1,
                        category_id="soins",
                        tax_mode=pb.TAX_MODE_AFTER_TAX,
                    )
                ]
            },
            "rule_field_foreign",
            "tax_mode",
        ),
        (
            {
                "accrual_rules": [
                    pb.AccrualRule(type=pb.ACCRUAL_TYPE_CATEGORY, points=1, category_id="a\x00b")
                ]
            },
            "id_invalid",
            "category_data.category_id",
        ),
    ],
)
async def test_a_wrong_accrual_rule_is_refused_by_its_place(
    house: House, rules: dict[str, Any], code: str, field: str
) -> None:
    refusal = await refusal_of(save(house, **rules))
    assert (refusal.code, refusal.field) == (code, f"accrual_rules[0].{field}")
    assert await stored(house) == house.program


async def test_a_program_has_at_most_fifty_accrual_rules(house: House) -> None:
    await save(house, accrual_rules=[SPEND] * 50)
    refusal = await refusal_of(save(house, accrual_rules=[SPEND] * 51))
    assert (refusal.code, refusal.field) == ("number_out_of_range", "accrual_rules")


async def test_sq_64_points_end_never_or_after_months(house: House) -> None:
    """SQ-64, D27: "never" or P[n]M and nothing else."""
    assert (await save(house, expiry_policy="P3M")).expiry_policy == "P3M"
    assert (await save(house, expiry_policy="P120M")).expiry_policy == "P120M"
    assert (await save(house, expiry_policy="never")).expiry_policy == "never"
    for policy in ("", "P0M", "P121M", "P1Y", "P3D", "3", "P-3M", "NEVER", "P3M\n"):
        refusal = await refusal_of(save(house, expiry_policy=policy))
        assert (refusal.code, refusal.field) == ("expiry_policy_invalid", "expiration_policy")
    assert (await stored(house)).expiry_policy == "never"


async def test_t1_progress_counts_from_the_launch_of_tiers(house: House) -> None:
    """T1: 900 points of before stay; the launch stands whatever changes on the ladder."""
    await house.earn(till=pb.TillOrigin(points=900))
    house.later(3600)
    launch = stamp(house.clock.now())
    launched = await save(house, tiers=pb.Tiers(tiers=[ARGENT, OR, BASE]))
    assert launched.tiers_launched_at == launch
    assert await house.balance() == 900
    house.later(3600)
    changed = await save(house, tiers=pb.Tiers(tiers=[*launched.tiers[:2]]))
    assert changed.tiers_launched_at == launch
    assert [tier.id for tier in changed.tiers] == [tier.id for tier in launched.tiers[:2]]
    none = await save(house, tiers=pb.Tiers())
    assert not none.tiers
    assert not none.HasField("tiers_launched_at")
    again = await save(house, tiers=pb.Tiers(tiers=[BASE]))
    assert again.tiers_launched_at == stamp(house.clock.now())


async def test_tiers_sent_with_their_id_stay_the_ones_they_were(house: House) -> None:
    base, argent, top = (await save(house, tiers=pb.Tiers(tiers=[BASE, ARGENT, OR]))).tiers
    argent.threshold, argent.name = 400, "Silver"
    bronze = pb.Tier(name="Bronze", threshold=100, multiplier="1.1")
    after = await save(house, tiers=pb.Tiers(tiers=[top, argent, bronze, base]))
    assert [tier.name for tier in after.tiers] == ["Base", "Bronze", "Silver", "Or"]
    assert [after.tiers[place].id for place in (0, 2, 3)] == [base.id, argent.id, top.id]
    assert after.tiers[1].id not in {"", base.id, argent.id, top.id}


async def test_the_same_tiers_again_without_ids_are_the_same(house: House) -> None:
    """A save that is repeated without a key changes nothing more."""
    saved = await save(house, tiers=pb.Tiers(tiers=[BASE, ARGENT]))
    assert await save(house, tiers=pb.Tiers(tiers=[BASE, ARGENT])) == saved


async def test_t10_a_seventh_tier_is_refused(house: House) -> None:
    """T10: six with the lowest."""
    six = [BASE, *(pb.Tier(name=f"Niveau {n}", threshold=n * 100) for n in range(1, 6))]
    full = await save(house, tiers=pb.Tiers(tiers=six))
    assert len(full.tiers) == 6
    seventh = pb.Tier(name="Diamant", threshold=5000)
    refusal = await refusal_of(save(house, tiers=pb.Tiers(tiers=[*full.tiers, seventh])))
    assert (refusal.code, refusal.field, refusal.params) == ("tier_limit", "tiers", {"limit": "6"})
    assert await stored(house) == full


@pytest.mark.parametrize(
    ("tiers", "code", "field"),
    [
        ([ARGENT], "tier_thresholds_invalid", "tiers"),
        ([BASE, ARGENT, pb.Tier(name="Or", threshold=500)], "tier_thresholds_invalid", "tiers"),
        ([BASE, pb.Tier(name="Or", threshold=-1)], "number_out_of_range", "tiers.threshold"),
        ([pb.Tier(name=" ", threshold=0)], "text_invalid", "tiers.name"),
        ([pb.Tier(name="B", multiplier="0.5")], "multiplier_invalid", "tiers.multiplier"),
        ([pb.Tier(name="B", multiplier="1.2345")], "multiplier_invalid", "tiers.multiplier"),
        ([pb.Tier(name="B", multiplier="NaN")], "multiplier_invalid", "tiers.multiplier"),
        ([pb.Tier(name="B", multiplier="x")], "multiplier_invalid", "tiers.multiplier"),
        ([pb.Tier(name="B", id=new_id())], "tier_unknown", "tiers.id"),
        ([pb.Tier(name="B", id="argent")], "tier_unknown", "tiers.id"),
    ],
)
async def test_wrong_tiers_are_refused_and_change_nothing(
    house: House, tiers: list[pb.Tier], code: str, field: str
) -> None:
    refusal = await refusal_of(save(house, tiers=pb.Tiers(tiers=tiers)))
    assert (refusal.code, refusal.field) == (code, field)
    assert await stored(house) == house.program


async def test_a_tier_is_listed_once(house: House) -> None:
    (base,) = (await save(house, tiers=pb.Tiers(tiers=[BASE]))).tiers
    twice = pb.Tier(id=base.id, name="Zwei", threshold=10)
    refusal = await refusal_of(save(house, tiers=pb.Tiers(tiers=[base, twice])))
    assert refusal.code == "tier_unknown"


async def test_choices_that_nobody_knows_are_refused(house: House) -> None:
    for settings in (
        pb.RefundSettings(debt_rule=9),  # type: ignore[arg-type]
        pb.RefundSettings(visit_refund_basis=9),  # type: ignore[arg-type]
        pb.RefundSettings(reward_on_refund=9),  # type: ignore[arg-type]
    ):
        refusal = await refusal_of(save(house, refunds=settings))
        assert (refusal.code, refusal.field.split(".")[0]) == ("number_out_of_range", "refunds")


async def test_charlies_chain_changes_no_rule_of_chain_a(house: House) -> None:
    refusal = await refusal_of(
        house.update_program(
            chain_id=house.charlies_chain, rules=pb.ProgramRules(expiry_policy="P1M")
        )
    )
    assert refusal.code == "program_unknown"
    assert await stored(house) == house.program
