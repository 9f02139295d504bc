"""Nonsense on every route: a clear error in the caller's language, and nothing changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.e2e.chains import Chain, open_chain
from tests.e2e.document import Call, about, calls, furnish, snapshot
from tests.stack import Stack

pytestmark = pytest.mark.stack

NUMBERS: list[Any] = [0, -1, 2**31, 2**63, 10**30, 1.5, 1e300, "7", True, None, [], {}]
TEXTS: list[Any] = [
    "",
    " ",
    "x" * 1_000_000,
    "\x00",
    "\x1b[2J",
    "\ud83d",
    7,
    1.5,
    False,
    ["a"],
    {"a": "b"},
]
# Texts that are no fault where any words may stand.
WORDS = ["💇🏽‍♀️🎉", "'; DROP TABLE posting; --", "<script>alert(1)</script>", "../../etc/passwd"]
IDS = [
    "00000000-0000-0000-0000-000000000000",
    "not-an-id",
    "💇🏽‍♀️",
    "..",
    "%00",
    "x" * 300,
    "' OR 1=1 --",
    "null",
]


# Fields that may be empty: what they say when they say nothing is well defined.
HARMLESS = {
    f"{call} {path} {value!r}"
    for call, path in (
        ("CreateOffer", ("offer", "description")),
        ("CreateLocation", ("idempotency_key",)),
        ("CreateCustomer", ("idempotency_key",)),
        ("CreateCustomer", ("given_name",)),
        ("CreateCustomer", ("family_name",)),
        ("CreateCustomer", ("birthday",)),
        ("UpdateCustomer", ("note",)),
        ("CreateOrder", ("idempotency_key",)),
        ("CreateOrder", ("order", "reference_id")),
        ("CreateOrder", ("order", "line_items", 0, "name")),
        ("CreateOrder", ("order", "taxes", 0, "name")),
        # Keeps nothing at all.
        ("CalculateOrder", ("order", "reference_id")),
        ("CalculateOrder", ("order", "line_items", 0, "name")),
        ("CalculateOrder", ("order", "taxes", 0, "name")),
        # The exchange was carried out before: a name changes nothing of it.
        ("CreateLoyaltyExchange", ("exchange", "added", 0, "name")),
        # Words for one channel alone are enough.
        ("CreateScheduledMessage", ("scheduled_message", "sms_body")),
        ("CreateScheduledMessage", ("scheduled_message", "email_body")),
        ("CreateScheduledMessage", ("scheduled_message", "email_subject")),
        ("CreateScheduledMessage", ("scheduled_message", "english", "sms_body")),
        ("CreateScheduledMessage", ("scheduled_message", "english", "email_body")),
        ("CreateScheduledMessage", ("scheduled_message", "english", "email_subject")),
        ("UpdateMerchant", ("merchant", "address", "address_line_1")),
        ("UpdateMerchant", ("merchant", "phone_number")),
    )
    for value in ("", " ")
} | {
    "CreateLoyaltyProgram ('program', 'accrual_rules', 0, 'points') None",
    # On the day itself; without an offer; asking nothing of the last visit.
    "CreateScheduledMessage ('scheduled_message', 'days_before') 0",
    "CreateScheduledMessage ('scheduled_message', 'days_before') None",
    "CreateScheduledMessage ('scheduled_message', 'offer_id') ''",
    "UpdateScheduledMessage ('scheduled_message', 'days_before') None",
    "CreateSend ('send', 'filter', 'not_visited_for_days') 0",
    # Everything up to something later than all.
    "ReadProgramNotice ('up_to',) 2147483648",
    "CreateSend ('send', 'filter', 'not_visited_for_days') None",
}
# Amounts that a price may have, however odd.
HARMLESS |= {
    f"{call} {path} {amount}"
    for call, path in (
        ("CreateOrder", ("order", "line_items", 0, "base_price_money", "amount")),
        ("CreateOrder", ("order", "total_tip_money", "amount")),
        ("CalculateOrder", ("order", "line_items", 0, "base_price_money", "amount")),
        ("CalculateOrder", ("order", "total_tip_money", "amount")),
        ("CreateLoyaltyPromotion", ("loyalty_promotion", "minimum_spend_amount_money", "amount")),
        (
            "UpdateLoyaltyProgram",
            ("program", "accrual_rules", 0, "spend_data", "amount_money", "amount"),
        ),
        (
            "BatchUpsertCatalogObjects",
            (
                *("batches", 0, "objects", 1, "item_data", "variations", 0),
                *("item_variation_data", "price_money", "amount"),
            ),
        ),
    )
    for amount in (0, 2**31)
}
# What only looks: half of a search may be nonsense and match nothing.
READS = ("Search", "BatchRetrieve", "ReceiveSandbox", "Preview")
# Lists that grow by what the harmless ones make.
MADE = {
    "/v2/loyalty/programs",
    "/v2/loyalty/programs/main/promotions",
    "/v2/loyalty/offers",
    "/v2/loyalty/accounts/search",
    "/v2/locations",
    "/v2/customers",
    "/v2/catalog/list",
    "/v2/messages/scheduled",
}


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    return await open_chain(stack, "Alice")


@pytest.fixture(scope="module")
async def ids(chain: Chain) -> dict[str, str]:
    return await furnish(chain)


@pytest.fixture(scope="module")
async def writing_calls(stack: Stack) -> list[Call]:
    """Calls with a body, but for those of operators, which have tests of their own."""
    found = [call for call in await calls(stack.base_url) if call.example is not None]
    return [call for call in found if not call.is_operators]


def leaves(body: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every value in a body that is no object or list, with its place."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from leaves(value, (*path, name))
    elif isinstance(body, list):
        for place, value in enumerate(body):
            yield from leaves(value, (*path, place))
    else:
        yield path, body


def with_value(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The body with another value in one place."""
    changed = copy.deepcopy(body)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return changed


def encoded(body: Any) -> bytes:
    """JSON as a careless client writes it: lone surrogates and huge numbers included."""
    return json.dumps(body).encode()


async def refused_clearly(call: Call, answer: httpx.Response, said: object) -> None:
    """A 4xx in the error shape, in French as asked."""
    context = (call.id, str(said)[:120], answer.status_code, answer.text[:300])
    assert 400 <= answer.status_code < 500, context
    errors = answer.json()["errors"]
    assert errors, context
    for error in errors:
        assert {"category", "code", "detail"} <= set(error), context
    assert len(answer.text) < 20_000, context


async def post(
    client: httpx.AsyncClient, call: Call, ids: dict[str, str], body: Any
) -> httpx.Response:
    path = call.path
    for name, value in ids.items():
        path = path.replace(f"{{{name}}}", value)
    return await client.request(
        call.method,
        path,
        content=encoded(body),
        headers={"Content-Type": "application/json", "Accept-Language": "fr"},
    )


async def test_wrong_types_and_impossible_values_change_nothing(
    chain: Chain, ids: dict[str, str], writing_calls: list[Call]
) -> None:
    """Every field of every example × zero, negative, huge, fraction, text, list, 1 MB, NUL.

    Where a value happens to be allowed (an empty note, a null) the answer may be a success; then
    only the field's own meaning may have changed. Everything else is refused and leaves no trace.
    """
    before = await snapshot(chain)
    allowed: list[str] = []
    async with chain.client() as client:
        for call in writing_calls:
            example = about(call.example, ids)
            for path, value in leaves(example):
                is_number = isinstance(value, int) and not isinstance(value, bool)
                for bad in NUMBERS if is_number else TEXTS:
                    if type(bad) is type(value) and (bad == value or isinstance(bad, bool)):
                        continue
                    body = with_value(about(call.example, ids), path, bad)
                    answer = await post(client, call, ids, body)
                    if answer.status_code == 200:
                        allowed.append(f"{call.id} {path} {bad!r:.20}")
                        continue
                    await refused_clearly(call, answer, (path, bad))
    after = await snapshot(chain)
    writes = {line for line in allowed if not line.startswith(READS)}
    assert not writes - HARMLESS, "\n".join(sorted(writes - HARMLESS))
    for seen in (before, after):
        # An empty text takes them away, as it should.
        for name in ("address", "phone_number"):
            seen["/v2/merchants/me"]["merchant"].pop(name, None)
    for listing, was in before.items():
        if listing not in MADE:
            assert after[listing] == was, listing
    known = [_without_tier(account) for account in _accounts(before)]
    assert [_without_tier(account) for account in _accounts(after)][: len(known)] == known


def _accounts(seen: dict[str, Any]) -> list[dict[str, Any]]:
    accounts: list[dict[str, Any]] = seen["/v2/loyalty/accounts/search"]["loyalty_accounts"]
    return accounts


def _without_tier(account: dict[str, Any]) -> dict[str, Any]:
    """A harmless save of a program gives it the tiers of its example."""
    return {name: value for name, value in account.items() if name != "tier"}


async def test_missing_and_torn_bodies_change_nothing(
    chain: Chain, ids: dict[str, str], writing_calls: list[Call]
) -> None:
    before = await snapshot(chain)
    async with chain.client() as client:
        for call in writing_calls:
            for body in (None, [], "text", 7, [call.example]):
                await refused_clearly(call, await post(client, call, ids, body), body)
    assert await snapshot(chain) == before


async def test_unknown_fields_are_taken_without_a_word(
    chain: Chain, ids: dict[str, str], writing_calls: list[Call]
) -> None:
    """A till may send what we do not know; it changes nothing of what it sends besides."""
    searches = [call for call in writing_calls if call.id.startswith("Search")]
    async with chain.client() as client:
        for call in searches:
            body = about(call.example, ids) | {"unheard_of": {"deep": [1, 2]}, "__proto__": 1}
            plain = await post(client, call, ids, about(call.example, ids))
            odd = await post(client, call, ids, body)
            assert odd.status_code == plain.status_code == 200, (call.id, odd.text)


async def test_ids_that_are_none_are_not_found(
    stack: Stack, chain: Chain, ids: dict[str, str]
) -> None:
    before = await snapshot(chain)
    async with chain.client() as client:
        for call in await calls(stack.base_url):
            if call.is_operators or not call.names_something:
                continue
            for bad in IDS:
                wrong = {name: httpx.URL(path=f"/{bad}").raw_path.decode()[1:] for name in ids}
                if "//" in call.path.format(**wrong) or "/../" in call.path.format(**wrong) + "/":
                    continue
                path = call.path.format(**wrong)
                body = about(call.example, ids)
                answer = await client.request(call.method, path, json=body)
                assert answer.status_code in {400, 404, 405}, (call.id, bad, answer.text)
                assert answer.json()["errors"]
    assert await snapshot(chain) == before


@pytest.mark.parametrize("words", WORDS)
async def test_odd_words_are_kept_as_they_are(chain: Chain, words: str) -> None:
    """Emoji, quotes and tags are words like others: stored, shown again, never obeyed."""
    async with chain.client() as client:
        made = await client.post(
            "/v2/customers",
            json={"given_name": words, "email_address": f"{abs(hash(words))}@example.com"},
        )
        assert made.status_code == 200, made.text
        found = await client.get(f"/v2/customers/{made.json()['customer']['id']}")

    assert found.json()["customer"]["given_name"] == words


@pytest.mark.parametrize("path", ["/v2/customers?cursor=%00", "/m/%00", "/v2/customers/%00"])
async def test_no_address_holds_a_nul(chain: Chain, path: str) -> None:
    async with chain.client() as client:
        answer = await client.get(path)

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v2/customers", {"limit": "0"}),
        ("/v2/customers", {"limit": "-1"}),
        ("/v2/customers", {"limit": "101"}),
        ("/v2/customers", {"limit": "x"}),
        ("/v2/customers", {"limit": "9" * 400}),
        ("/v2/customers", {"sort_order": "SIDEWAYS"}),
        ("/v2/messages", {"customer_id": "x" * 1000}),
        ("/v2/sandbox/messages", {"channel": "PIGEON"}),
        ("/v2/sandbox/messages", {"to": "\x1b"}),
        ("/v2/loyalty/offers", {"visible_only": "maybe"}),
    ],
)
async def test_query_parameters_are_held_to_their_limits(
    chain: Chain, path: str, params: dict[str, str]
) -> None:
    async with chain.client() as client:
        answer = await client.get(path, params=params)

    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["errors"][0]["field"] == next(iter(params))
