"""The OpenAPI document: complete, with an example for every call that fits its own schema."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import httpx
import jsonschema_rs
import pytest

from services.gateway.app import create_app
from services.gateway.examples import EXAMPLES
from services.gateway.openapi import document

_SETTINGS = SimpleNamespace(
    is_https=False, environment="local", public_url="https://meche.example/"
)
APP = create_app(SimpleNamespace(settings=_SETTINGS))  # type: ignore[arg-type]
DOCUMENT = document(APP)
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    (method, path, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
]
EVERY_CALL = pytest.mark.parametrize(
    ("method", "path", "operation"),
    [pytest.param(*call, id=call[2]["operationId"]) for call in CALLS],
)

# Table 1 of api.md, as far as this version goes.
SQUARE_CALLS = [
    "GET /v2/loyalty/programs",
    "GET /v2/loyalty/programs/{program_id}",
    "POST /v2/loyalty/programs/{program_id}/promotions",
    "GET /v2/loyalty/programs/{program_id}/promotions",
    "GET /v2/loyalty/programs/{program_id}/promotions/{promotion_id}",
    "POST /v2/loyalty/programs/{program_id}/promotions/{promotion_id}/cancel",
    "POST /v2/loyalty/programs/{program_id}/calculate",
    "POST /v2/loyalty/accounts",
    "POST /v2/loyalty/accounts/search",
    "GET /v2/loyalty/accounts/{account_id}",
    "POST /v2/loyalty/accounts/{account_id}/accumulate",
    "POST /v2/loyalty/accounts/{account_id}/adjust",
    "POST /v2/loyalty/rewards",
    "POST /v2/loyalty/rewards/search",
    "GET /v2/loyalty/rewards/{reward_id}",
    "DELETE /v2/loyalty/rewards/{reward_id}",
    "POST /v2/loyalty/rewards/{reward_id}/redeem",
    "POST /v2/loyalty/events/search",
    "POST /v2/orders",
    "POST /v2/orders/batch-retrieve",
    "GET /v2/orders/{order_id}",
    "POST /v2/catalog/batch-upsert",
    "GET /v2/catalog/list",
    "GET /v2/catalog/object/{object_id}",
    "POST /v2/customers",
    "GET /v2/customers/{customer_id}",
    "PUT /v2/customers/{customer_id}",
    "DELETE /v2/customers/{customer_id}",
    "POST /v2/customers/search",
    "GET /v2/locations",
]


def fits(schema: dict[str, Any], value: object) -> None:
    """Raise unless the value fits the schema."""
    whole = {**schema, "components": DOCUMENT["components"]}
    jsonschema_rs.validator_for(whole).validate(value)


def test_the_document_is_openapi_3_1_and_holds_squares_calls() -> None:
    calls = {f"{method.upper()} {path}" for method, path, _ in CALLS}

    assert DOCUMENT["openapi"].startswith("3.1")
    assert DOCUMENT["servers"] == [{"url": "https://meche.example"}]
    assert set(SQUARE_CALLS) <= calls


def test_pages_are_not_in_it() -> None:
    assert all(path.startswith("/v2/") for _, path, _ in CALLS)


def test_every_example_belongs_to_a_call() -> None:
    assert {operation["operationId"] for _, _, operation in CALLS} == set(EXAMPLES)


@EVERY_CALL
def test_every_call_has_an_example_that_fits(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    answer = operation["responses"]["200"]["content"]["application/json"]
    fits(answer["schema"], answer["example"])
    if "requestBody" in operation:
        body = operation["requestBody"]["content"]["application/json"]
        fits(body["schema"], body["example"])


@EVERY_CALL
def test_every_call_says_who_may_and_what_may_go_wrong(
    method: str, path: str, operation: dict[str, Any]
) -> None:
    operators = path.startswith("/v2/operator/")

    assert operation["security"] == [{"operatorKey" if operators else "apiKey": []}]
    assert operators or operation["x-scopes"]
    assert {"200", "400", "401", "403", "404", "409", "429", "503"} <= set(operation["responses"])
    assert "422" not in operation["responses"]
    assert operation["summary"]


def test_every_refusals_example_fits_the_error_shape() -> None:
    for response in DOCUMENT["components"]["responses"].values():
        content = response["content"]["application/json"]
        fits(content["schema"], content["example"])


async def test_document_and_page_are_served_without_anything_from_elsewhere() -> None:
    transport = httpx.ASGITransport(app=APP)
    async with httpx.AsyncClient(transport=transport, base_url="http://meche") as client:
        served = await client.get("/openapi.json")
        page = await client.get("/docs")

    assert json.loads(served.text)["paths"].keys() == DOCUMENT["paths"].keys()
    for _, path, operation in CALLS:
        assert path in page.text
        assert f'id="{operation["operationId"]}"' in page.text
    assert "<code>order.line_items[].quantity</code>: text, at most 13; <b>needed</b>" in page.text
    assert "<code>dry_run</code>: true or false" in page.text
    # Rows of the design are no words for who reads this.
    assert not re.search(r"\b(LS|SQ)-[0-9]", page.text)
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert 'src="http' not in page.text
    assert '<link rel="stylesheet" href="/static/' in page.text
