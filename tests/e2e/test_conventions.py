"""What every call of the API has in common (api.md 4)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.e2e.chains import (
    Chain,
    balance,
    earn,
    enrol,
    fresh_key,
    fresh_phone,
    key_with,
    open_chain,
)
from tests.stack import Stack

pytestmark = pytest.mark.stack


def accumulate(chain: Chain, points: int, **said: Any) -> dict[str, Any]:
    """A till's word."""
    return {
        "idempotency_key": fresh_key(),
        "location_id": chain.salon_id,
        "accumulate_points": {"points": points},
        **said,
    }


def code_of(answer: httpx.Response) -> str:
    """The first error's code."""
    return str(answer.json()["errors"][0]["code"])


def field_of(answer: httpx.Response) -> str:
    """The first error's field."""
    return str(answer.json()["errors"][0].get("field", ""))


async def test_every_answer_carries_its_id_and_what_is_left(client: httpx.AsyncClient) -> None:
    good = await client.get("/v2/loyalty/programs", headers={"X-Request-Id": "till-7"})
    bad = await client.get("/v2/loyalty/programs/nothing")

    assert good.headers["request-id"] == good.headers["request_id"] == "till-7"
    assert len(bad.headers["request_id"]) == 32
    for name in ("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"):
        assert int(good.headers[name]) > 0
    assert good.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("version", "status"),
    [("2026-09-16", 200), ("2026-9-16", 400), ("2026-02-30", 400), ("latest", 400), ("", 400)],
)
async def test_a_malformed_version_is_refused(
    client: httpx.AsyncClient, version: str, status: int
) -> None:
    answer = await client.get("/v2/loyalty/programs", headers={"Square-Version": version})

    assert answer.status_code == status
    if status == 400:
        assert code_of(answer) == "INVALID_SQUARE_VERSION_FORMAT"


async def test_the_language_of_an_error_is_the_callers(client: httpx.AsyncClient) -> None:
    async def detail(language: str) -> str:
        answer = await client.get(
            "/v2/loyalty/accounts/nothing", headers={"Accept-Language": language}
        )
        assert answer.status_code == 404
        return str(answer.json()["errors"][0]["detail"])

    assert "Il n’y a rien" in await detail("fr-CA,fr;q=0.9,en;q=0.8")
    assert "There is nothing" in await detail("en")
    assert "There is nothing" in await detail("de")


async def test_one_key_counts_once_whatever_way_it_is_sent(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    account = await enrol(alices, client)
    path = f"/v2/loyalty/accounts/{account}/accumulate"
    body = accumulate(alices, 4)
    key = body.pop("idempotency_key")

    in_header = await client.post(path, json=body, headers={"Idempotency-Key": key})
    in_body = await client.post(path, json={**body, "idempotency_key": key})
    in_both = await client.post(
        path, json={**body, "idempotency_key": key}, headers={"Idempotency-Key": key}
    )

    assert in_header.json() == in_body.json() == in_both.json()
    assert await balance(client, account) == 4
    torn = await client.post(
        path, json={**body, "idempotency_key": key}, headers={"Idempotency-Key": "another"}
    )
    assert (torn.status_code, code_of(torn)) == (400, "CONFLICTING_PARAMETERS")


async def test_a_key_with_another_body_is_refused(alices: Chain, client: httpx.AsyncClient) -> None:
    account = await enrol(alices, client)
    path = f"/v2/loyalty/accounts/{account}/accumulate"
    body = accumulate(alices, 4)
    await client.post(path, json=body)

    answer = await client.post(path, json={**body, "accumulate_points": {"points": 5}})

    assert (answer.status_code, code_of(answer)) == (400, "IDEMPOTENCY_KEY_REUSED")
    assert await balance(client, account) == 4


async def test_a_refusal_leaves_no_key(alices: Chain, client: httpx.AsyncClient) -> None:
    account = await enrol(alices, client)
    path = f"/v2/loyalty/accounts/{account}/adjust"
    body = {
        "idempotency_key": fresh_key(),
        "adjust_points": {"points": -3, "reason": "Erreur"},
    }

    refused = await client.post(path, json=body)
    await earn(alices, client, account, 5)
    accepted = await client.post(path, json=body)

    assert (refused.status_code, code_of(refused)) == (400, "INSUFFICIENT_POINTS")
    assert accepted.status_code == 200
    assert await balance(client, account) == 2


@pytest.mark.parametrize("key", [None, "", "x" * 129, "a\nb", 7])
async def test_a_key_is_needed_where_something_moves(
    alices: Chain, client: httpx.AsyncClient, key: Any
) -> None:
    account = await enrol(alices, client)
    body = accumulate(alices, 4, idempotency_key=key)

    answer = await client.post(f"/v2/loyalty/accounts/{account}/accumulate", json=body)

    assert answer.status_code == 400
    assert field_of(answer) == "idempotency_key"
    assert await balance(client, account) == 0


async def test_pages_follow_one_another_and_end(stack: Stack) -> None:
    """Accounts come by `created_at` ascending; no cursor = the last page."""
    chain = await open_chain(stack)
    async with chain.client() as client:
        made = [await enrol(chain, client) for _ in range(7)]
        seen: list[str] = []
        cursor = None
        pages = 0
        while True:
            body = {"limit": 3} | ({"cursor": cursor} if cursor else {})
            answer = (await client.post("/v2/loyalty/accounts/search", json=body)).json()
            seen += [one["id"] for one in answer["loyalty_accounts"]]
            cursor = answer.get("cursor")
            pages += 1
            if cursor is None:
                break

    assert seen == made
    assert pages == 3


async def test_a_cursor_is_good_for_its_own_list_only(
    alices: Chain, charlies: Chain, client: httpx.AsyncClient
) -> None:
    for _ in range(2):
        await enrol(alices, client)
    first = (await client.post("/v2/loyalty/accounts/search", json={"limit": 1})).json()
    cursor = first["cursor"]
    path = "/v2/loyalty/accounts/search"
    async with charlies.client() as stranger:
        wrong = [
            await stranger.post(path, json={"limit": 1, "cursor": cursor}),
            await client.post("/v2/loyalty/events/search", json={"cursor": cursor}),
            await client.post(path, json={"cursor": cursor[:-2] + "AA"}),
            await client.post(path, json={"cursor": "nonsense"}),
            await client.get("/v2/customers", params={"cursor": cursor}),
            await client.get("/v2/messages", params={"cursor": cursor}),
        ]

    for answer in wrong:
        assert (answer.status_code, code_of(answer)) == (400, "INVALID_CURSOR")
        assert field_of(answer) == "cursor"


async def test_a_wrong_address_is_told_with_where_to_look(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v2/loyalty/nothing")

    assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND")
    assert "/docs" in answer.json()["errors"][0]["detail"]
    assert "/docs" not in (await client.get("/nothing")).text


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("/v2/loyalty/rewards", "GET", "POST"),
        ("/v2/customers/00000000-0000-0000-0000-000000000000", "PATCH", "DELETE, GET, PUT"),
        ("/v2/customers", "DELETE", "GET, POST"),
    ],
)
async def test_a_wrong_method_is_told_with_all_that_the_address_answers(
    client: httpx.AsyncClient, path: str, method: str, allowed: str
) -> None:
    """RFC 9110, 15.5.6: also where each method has a route of its own."""
    answer = await client.request(method, path)

    assert (answer.status_code, code_of(answer)) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["Allow"] == allowed
    assert allowed in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{", "application/json"),
        (b"", "application/json"),
        (b"[]", "application/json"),
        (b'"text"', "application/json"),
        (b"null", "application/json"),
        (b"\xff\xfe{}", "application/json"),
        (b"{}", "text/plain"),
        (b"[" * 100_000, "application/json"),
        (b'{"a":' * 20_000, "application/json"),
        (b'{"limit": ' + b"9" * 5000 + b"}", "application/json"),
        (b'{"limit": 1e400}', "application/json"),
        (b'{"limit": NaN}', "application/json"),
    ],
)
async def test_a_body_that_is_no_object_is_refused(
    client: httpx.AsyncClient, content: bytes, kind: str
) -> None:
    answer = await client.post(
        "/v2/loyalty/accounts/search", content=content, headers={"Content-Type": kind}
    )

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["category"] == "INVALID_REQUEST_ERROR"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"limit": 5,}', "character 13"),
        (b'{"query": "\xe9"}', "UTF-8"),
        (b"[" * 100_000, "JSON object"),
        (b"", "application/json"),
    ],
)
@pytest.mark.parametrize("call", ["/v2/loyalty/accounts/search", "/v2/loyalty/rewards"])
async def test_what_is_wrong_with_a_body_is_told(
    client: httpx.AsyncClient, call: str, content: bytes, told: str
) -> None:
    answer = await client.post(call, content=content, headers={"Content-Type": "application/json"})

    assert (answer.status_code, code_of(answer)) == (400, "EXPECTED_JSON_BODY")
    assert told in answer.json()["errors"][0]["detail"]


async def test_a_body_above_a_megabyte_is_refused(client: httpx.AsyncClient) -> None:
    async def stream() -> Any:
        for _ in range(40):
            yield b"x" * 65536

    declared = await client.post("/v2/customers", content=b"x" * 1_100_000)
    streamed = await client.post("/v2/customers", content=stream())

    for answer in (declared, streamed):
        assert (answer.status_code, code_of(answer)) == (413, "REQUEST_ENTITY_TOO_LARGE")


async def test_keys_do_only_what_their_scopes_say(alices: Chain, client: httpx.AsyncClient) -> None:
    account = await enrol(alices, client)
    reader = await key_with(alices, "LOYALTY_READ")
    async with alices.client(reader) as till:
        read = await till.get(f"/v2/loyalty/accounts/{account}")
        write = await till.post(
            f"/v2/loyalty/accounts/{account}/accumulate", json=accumulate(alices, 1)
        )
        others = await till.get("/v2/customers")

    assert read.status_code == 200
    for answer in (write, others):
        assert (answer.status_code, code_of(answer)) == (403, "INSUFFICIENT_SCOPES")
    assert await balance(client, account) == 0


async def test_a_revoked_key_is_dead_at_once(alices: Chain, client: httpx.AsyncClient) -> None:
    token = await key_with(alices, "LOYALTY_READ")
    async with alices.client(token) as till:
        assert (await till.get("/v2/loyalty/programs")).status_code == 200
        keys = (await client.get("/v2/api-keys")).json()["api_keys"]
        mine = next(key for key in keys if token.startswith(key["hint"]))
        assert (await client.delete(f"/v2/api-keys/{mine['id']}")).status_code == 200
        async with asyncio.timeout(3):
            while (answer := await till.get("/v2/loyalty/programs")).status_code == 200:
                await asyncio.sleep(0.02)

    assert (answer.status_code, code_of(answer)) == (401, "UNAUTHORIZED")
    assert token not in str(keys)


async def test_a_key_of_one_salon_speaks_for_no_other(stack: Stack) -> None:
    chain = await open_chain(stack, salons=[{"name": "Plateau"}, {"name": "Rosemont"}])
    plateau, rosemont = chain.told["location_ids"]
    async with chain.client() as owner:
        account = await enrol(chain, owner)
        await earn(chain, owner, account, 1)
        token = await key_with(
            chain,
            "LOYALTY_READ",
            "LOYALTY_WRITE",
            "MERCHANT_PROFILE_READ",
            "MERCHANT_PROFILE_WRITE",
            salon_ids=(rosemont,),
        )
        async with chain.client(token) as till:
            path = f"/v2/loyalty/accounts/{account}/accumulate"
            there = await till.post(path, json=accumulate(chain, 1, location_id=plateau))
            here = await till.post(path, json=accumulate(chain, 1, location_id=rosemont))
            salons = (await till.get("/v2/locations")).json()["locations"]
            hidden = await till.get(f"/v2/locations/{plateau}")
            devices = (await till.get("/v2/devices")).json()["devices"]
            events = (await till.post("/v2/loyalty/events/search", json={})).json()["events"]
            key_for_all = await till.post(
                "/v2/api-keys",
                json={
                    "idempotency_key": fresh_key(),
                    "api_key": {"name": "More", "scopes": ["LOYALTY_READ"]},
                },
            )
        assert await balance(owner, account) == 2

    assert (there.status_code, code_of(there), field_of(there)) == (404, "NOT_FOUND", "location_id")
    assert here.status_code == 200
    assert [salon["id"] for salon in salons] == [rosemont]
    assert hidden.status_code == 404
    assert devices == []
    assert {event["location_id"] for event in events} == {rosemont}
    assert key_for_all.status_code == 403


async def test_a_till_may_say_that_it_happened_earlier(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    """Offline tills: at most 72 hours back, never ahead."""
    account = await enrol(alices, client)
    path = f"/v2/loyalty/accounts/{account}/accumulate"
    for moment, status in (("2020-01-01T00:00:00Z", 400), ("2150-01-01T00:00:00Z", 400)):
        body = accumulate(alices, 1, accumulate_points={"points": 1, "occurred_at": moment})
        answer = await client.post(path, json=body)
        assert answer.status_code == status
        assert field_of(answer) == "accumulate_points.occurred_at"


async def test_an_order_that_is_not_there_is_not_found(
    alices: Chain, client: httpx.AsyncClient
) -> None:
    account = await enrol(alices, client)
    answer = await client.post(
        f"/v2/loyalty/accounts/{account}/accumulate",
        json=accumulate(alices, 1, accumulate_points={"order_id": fresh_key()}),
    )

    assert (answer.status_code, code_of(answer)) == (404, "NOT_FOUND")
    assert field_of(answer) == "accumulate_points.order_id"


async def test_a_search_takes_thirty_phones_and_not_both_kinds(
    client: httpx.AsyncClient,
) -> None:
    path = "/v2/loyalty/accounts/search"
    many = [{"phone_number": fresh_phone()} for _ in range(31)]
    too_many = await client.post(path, json={"query": {"mappings": many}})
    both = await client.post(
        path, json={"query": {"mappings": many[:1], "customer_ids": [fresh_key()]}}
    )
    nobody = await client.post(path, json={"query": {"mappings": many[:30]}})

    assert (too_many.status_code, code_of(too_many)) == (400, "ARRAY_LENGTH_TOO_LONG")
    assert (both.status_code, code_of(both)) == (400, "CONFLICTING_PARAMETERS")
    assert nobody.json() == {"loyalty_accounts": []}
