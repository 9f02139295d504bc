"""The rules of a program over the API: accrual, expiry, tiers, refunds; each section by itself."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.e2e.chains import Chain, balance, earn, enrol, fresh_key, open_chain
from tests.e2e.sales import cad, category, item, spend, upsert, visit
from tests.stack import Stack

pytestmark = pytest.mark.stack

PATH = "/v2/loyalty/programs/main"


@pytest.fixture
async def chain(stack: Stack) -> Chain:
    """A chain whose rules a test may change."""
    return await open_chain(stack, "Règles")


async def try_to_save(client: httpx.AsyncClient, **said: Any) -> httpx.Response:
    """A save of the default program, whatever comes of it."""
    return await client.put(PATH, json={"idempotency_key": fresh_key(), "program": said})


async def save(client: httpx.AsyncClient, **said: Any) -> dict[str, Any]:
    """The default program after a save."""
    answer = await try_to_save(client, **said)
    assert answer.status_code == 200, answer.text
    saved: dict[str, Any] = answer.json()["program"]
    return saved


async def read(client: httpx.AsyncClient) -> dict[str, Any]:
    """The default program."""
    program: dict[str, Any] = (await client.get(PATH)).json()["program"]
    return program


async def stock(client: httpx.AsyncClient) -> dict[str, str]:
    """A catalog of one category with one item; "#name" to the id that it was given."""
    return await upsert(client, category("soins"), item("coupe", "#soins"))


SPEND = spend(per=1000, tax_mode="AFTER_TAX")
VISIT = visit(2000, points=2)


async def test_every_type_of_rule_is_answered_as_it_was_saved(chain: Chain) -> None:
    """SQ-53: all four at once, with minimum, tax mode and exclusions (D13)."""
    async with chain.client() as client:
        ids = await stock(client)
        excluding = spend(
            per=1000,
            excluded_category_ids=[ids["#soins"]],
            excluded_item_variation_ids=[ids["#coupe-une"]],
        )
        rules = [
            VISIT,
            excluding,
            {
                "accrual_type": "ITEM_VARIATION",
                "points": 5,
                "item_variation_data": {"item_variation_id": ids["#coupe-une"]},
            },
            {
                "accrual_type": "CATEGORY",
                "points": 3,
                "category_data": {"category_id": ids["#soins"]},
            },
        ]
        saved = await save(client, accrual_rules=rules)
        again = await save(client, accrual_rules=saved["accrual_rules"])

        assert saved["accrual_rules"] == rules
        assert await read(client) == saved == again


async def test_a_tax_mode_that_nobody_names_is_before_tax(chain: Chain) -> None:
    """D13."""
    async with chain.client() as client:
        spend = {**SPEND, "spend_data": {"amount_money": cad(100)}}
        saved = await save(client, accrual_rules=[spend, {"accrual_type": "VISIT"}])

    assert saved["accrual_rules"] == [
        {
            "accrual_type": "SPEND",
            "points": 1,
            "spend_data": {"amount_money": cad(100), "tax_mode": "BEFORE_TAX"},
        },
        {"accrual_type": "VISIT", "points": 1, "visit_data": {"tax_mode": "BEFORE_TAX"}},
    ]


async def test_a_new_program_may_bring_its_rules(chain: Chain) -> None:
    async with chain.client() as client:
        answer = await client.post(
            "/v2/loyalty/programs",
            json={
                "idempotency_key": fresh_key(),
                "program": {
                    "name": "Spa",
                    "accrual_rules": [SPEND],
                    "expiration_policy": {"expiration_duration": "P6M"},
                    "tiers": [{"name": "Bronze", "threshold": 0}],
                    "refund_settings": {"reward_on_refund": "KEEP"},
                },
            },
        )
    assert answer.status_code == 200, answer.text
    made = answer.json()["program"]

    assert made["accrual_rules"] == [SPEND]
    assert made["expiration_policy"] == {"expiration_duration": "P6M"}
    assert [(one["name"], one["multiplier"]) for one in made["tiers"]] == [("Bronze", "1")]
    assert made["refund_settings"]["reward_on_refund"] == "KEEP"


async def test_each_section_leaves_the_others(chain: Chain) -> None:
    """SQ-47: one section saved, one version more, everything else as it was."""
    tiers = [
        {"name": "Bronze", "threshold": 0, "multiplier": "1"},
        {"name": "Argent", "threshold": 500, "multiplier": "1.25"},
    ]
    sections: list[dict[str, Any]] = [
        {"accrual_rules": [SPEND]},
        {"expiration_policy": {"expiration_duration": "P12M"}},
        {"tiers": tiers},
        {"refund_settings": {"debt_rule": "CLAMP_ZERO"}},
        {"terminology": {"one": "étoile", "other": "étoiles"}},
        {"name": "Étoiles"},
    ]
    async with chain.client() as client:
        before = await read(client)
        for section in sections:
            after = await save(client, **section)
            [name] = section
            changed = {key for key in after if after[key] != before.get(key)}
            launched = {"tiers_launched_at"} if name == "tiers" else set()
            assert changed == {name, "version", "updated_at"} | launched
            assert after["version"] == before["version"] + 1
            before = after

    assert before["refund_settings"] == {
        "visit_refund_basis": "REMAINING",
        "debt_rule": "CLAMP_ZERO",
        "reward_on_refund": "RETURN",
    }


async def test_points_end_never_or_after_months(chain: Chain) -> None:
    """SQ-64, D27: `null` is never; what is left out stays."""
    async with chain.client() as client:
        assert "expiration_policy" not in await read(client)
        await save(client, expiration_policy={"expiration_duration": "P3M"})
        kept = await save(client, name="Vos points")
        never = await save(client, expiration_policy=None)

    assert kept["expiration_policy"] == {"expiration_duration": "P3M"}
    assert "expiration_policy" not in never


async def test_tiers_keep_their_id_when_they_are_sent_again(chain: Chain) -> None:
    """SQ-05: with the id or without, the same tier is the same; an empty list ends them."""
    wanted = [{"name": "Bronze", "threshold": 0}, {"name": "Or", "threshold": 900}]
    async with chain.client() as client:
        first = (await save(client, tiers=wanted))["tiers"]
        again = (await save(client, tiers=wanted))["tiers"]
        renamed = (await save(client, tiers=[first[0], {**first[1], "name": "Platine"}]))["tiers"]
        ended = await save(client, tiers=[])

    assert again == first
    assert [one["id"] for one in renamed] == [one["id"] for one in first]
    assert renamed[1]["name"] == "Platine"
    assert ended["tiers"] == []
    assert "tiers_launched_at" not in ended


async def test_no_rule_touches_points_that_are_there(chain: Chain) -> None:
    """SQ-46: the balance is the same before and after each save."""
    async with chain.client() as client:
        account = await enrol(chain, client)
        await earn(chain, client, account, 12)
        await save(client, accrual_rules=[SPEND], expiration_policy={"expiration_duration": "P1M"})
        await save(client, tiers=[{"name": "Bronze", "threshold": 0, "multiplier": "2"}])

        assert await balance(client, account) == 12


def rule(**said: Any) -> dict[str, Any]:
    """Rules of which the first one is fine and the second says this."""
    return {"accrual_rules": [VISIT, {"accrual_type": "SPEND", "points": 1, **said}]}


SECOND = "program.accrual_rules[1]"
FOREIGN = {"amount": 1000, "currency": "USD"}
NOBODYS = "0d7a4f34-6a52-4f0b-9d2e-1b0c8f7a6e55"
WRONG: list[tuple[dict[str, Any], str, str]] = [
    (rule(), "MISSING_REQUIRED_PARAMETER", f"{SECOND}.spend_data.amount_money"),
    (
        rule(spend_data={"tax_mode": "AFTER_TAX"}),
        "MISSING_REQUIRED_PARAMETER",
        f"{SECOND}.spend_data.amount_money",
    ),
    (
        rule(spend_data={"amount_money": FOREIGN}),
        "UNSUPPORTED_CURRENCY",
        f"{SECOND}.spend_data.amount_money.currency",
    ),
    (
        rule(
            accrual_type="VISIT",
            visit_data={"minimum_amount_money": FOREIGN},
        ),
        "UNSUPPORTED_CURRENCY",
        f"{SECOND}.visit_data.minimum_amount_money.currency",
    ),
    (
        rule(spend_data={"amount_money": cad(0)}),
        "INVALID_VALUE",
        f"{SECOND}.spend_data.amount_money",
    ),
    (
        rule(spend_data={"amount_money": cad(100), "tax_mode": "WITHOUT"}),
        "INVALID_ENUM_VALUE",
        f"{SECOND}.spend_data.tax_mode",
    ),
    (
        rule(accrual_type="VISIT", spend_data={"excluded_category_ids": [NOBODYS]}),
        "UNEXPECTED_VALUE",
        f"{SECOND}.spend_data",
    ),
    (
        rule(accrual_type="VISIT", visit_data={"excluded_category_ids": [NOBODYS]}),
        "UNEXPECTED_VALUE",
        f"{SECOND}.visit_data",
    ),
    (
        rule(accrual_type="VISIT", excluded_item_variation_ids=[NOBODYS]),
        "UNEXPECTED_VALUE",
        SECOND,
    ),
    (
        rule(accrual_type="CATEGORY", visit_data={"tax_mode": "BEFORE_TAX"}),
        "UNEXPECTED_VALUE",
        f"{SECOND}.visit_data",
    ),
    (
        rule(accrual_type="ITEM_VARIATION"),
        "MISSING_REQUIRED_PARAMETER",
        f"{SECOND}.item_variation_data.item_variation_id",
    ),
    (
        rule(accrual_type="CATEGORY"),
        "MISSING_REQUIRED_PARAMETER",
        f"{SECOND}.category_data.category_id",
    ),
    (
        rule(points=None, spend_data={"amount_money": cad(100)}),
        "MISSING_REQUIRED_PARAMETER",
        f"{SECOND}.points",
    ),
    (
        rule(points=0, spend_data={"amount_money": cad(100)}),
        "VALUE_TOO_LOW",
        f"{SECOND}.points",
    ),
    ({"accrual_rules": []}, "ARRAY_LENGTH_TOO_SHORT", "program.accrual_rules"),
    (
        {"expiration_policy": {"expiration_duration": "P1Y"}},
        "INVALID_VALUE",
        "program.expiration_policy",
    ),
    (
        {"expiration_policy": {"expiration_duration": "P0M"}},
        "INVALID_VALUE",
        "program.expiration_policy",
    ),
    ({"tiers": [{"name": "Or", "threshold": 10}]}, "INVALID_VALUE", "program.tiers"),
    (
        {"tiers": [{"name": "Or", "threshold": 0, "multiplier": "11"}]},
        "INVALID_VALUE",
        "program.tiers.multiplier",
    ),
    (
        {"tiers": [{"id": NOBODYS, "name": "Or", "threshold": 0}]},
        "INVALID_VALUE",
        "program.tiers.id",
    ),
    (
        {"tiers": [{"name": f"N{place}", "threshold": place} for place in range(7)]},
        "CONFLICT",
        "program.tiers",
    ),
    (
        {"refund_settings": {"debt_rule": "FORGET"}},
        "INVALID_ENUM_VALUE",
        "program.refund_settings.debt_rule",
    ),
]


@pytest.mark.parametrize(("said", "code", "field"), WRONG)
async def test_what_no_rule_may_say_is_refused_by_its_field(
    alices: Chain, client: httpx.AsyncClient, said: dict[str, Any], code: str, field: str
) -> None:
    """SQ-57, D27, T10: and nothing of the program changes."""
    before = await read(client)
    answer = await try_to_save(client, name="Autre nom", **said)
    error = answer.json()["errors"][0]

    assert answer.status_code == (409 if code == "CONFLICT" else 400)
    assert (error["code"], error["field"]) == (code, field)
    assert await read(client) == before


async def test_rules_name_only_what_is_in_the_chains_catalog(chain: Chain, charlies: Chain) -> None:
    """Another chain's category is not found, nor is an item where a category belongs."""
    async with charlies.client() as stranger:
        theirs = await stock(stranger)
    async with chain.client() as client:
        mine = await stock(client)
        wrong: list[tuple[dict[str, Any], str]] = [
            (
                rule(
                    spend_data={
                        "amount_money": cad(100),
                        "excluded_category_ids": [mine["#soins"], theirs["#soins"]],
                    }
                ),
                "spend_data.excluded_category_ids[1]",
            ),
            (
                rule(accrual_type="CATEGORY", category_data={"category_id": mine["#coupe-une"]}),
                "category_data.category_id",
            ),
            (
                rule(
                    accrual_type="ITEM_VARIATION",
                    item_variation_data={"item_variation_id": mine["#coupe"]},
                ),
                "item_variation_data.item_variation_id",
            ),
        ]
        for said, field in wrong:
            answer = await try_to_save(client, **said)
            error = answer.json()["errors"][0]
            assert (answer.status_code, error["code"]) == (404, "NOT_FOUND")
            assert error["field"] == f"{SECOND}.{field}"
