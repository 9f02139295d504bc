"""Every refusal that a service can speak has a status and words in both languages."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from chassis.v1 import refusal_pb2

from services.chassis import errors as chassis_errors
from services.gateway.errors import REFUSALS, ApiError, category_of, describe

SERVICES = Path(__file__).parents[2] / "services"
SQUARE_CODES = set(
    re.findall(
        r'"([A-Z_0-9]+)"',
        Path(inspect.getfile(importlib.import_module("square.types.error_code"))).read_text(),
    )
)
# What Square has no code for (api.md 4).
OUR_CODES = {
    "PLAN_REQUIRED",
    "REWARD_LIMIT",
    "INSUFFICIENT_POINTS",
    "CODE_REQUIRED",
    "CODE_INVALID",
    "ALREADY_COUNTED",
}


def refusal_classes() -> Iterator[tuple[str, type[Exception]]]:
    """Every refusal of every service, by service."""
    for path in sorted(SERVICES.glob("*/domain/*errors.py")):
        service = path.parent.parent.name
        module = importlib.import_module(f"services.{service}.domain.{path.stem}")
        for found in vars(module).values():
            is_refusal = isinstance(found, type) and issubclass(found, module.Refusal)
            is_its_own = is_refusal and found.__module__ == module.__name__
            if is_its_own and isinstance(getattr(found, "code", None), str):
                yield service, found


def test_the_walk_finds_the_services() -> None:
    assert {service for service, _ in refusal_classes()} == {
        "enrollment",
        "messaging",
        "offers",
        "points",
        "rewards",
    }


def test_the_walk_finds_every_file_of_refusals() -> None:
    found = {refusal.__name__ for service, refusal in refusal_classes() if service == "points"}

    assert {"AccountUnknown", "SaleOfAnother"} <= found


@pytest.mark.parametrize(
    ("service", "refusal"),
    [pytest.param(*one, id=f"{one[0]}-{one[1].__name__}") for one in refusal_classes()],
)
def test_each_refusal_has_words_in_both_languages(service: str, refusal: type[Exception]) -> None:
    code = refusal.code.upper()  # type: ignore[attr-defined]

    assert code in REFUSALS, f"{service} refuses with {code}, which has no words"
    assert describe(code, {}, "fr") != describe(code, {}, "en")


@pytest.mark.parametrize("name", ["KeyReused", "RateLimited"])
def test_refusals_of_the_plumbing_have_words_too(name: str) -> None:
    assert getattr(chassis_errors, name).code in REFUSALS


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_each_code_is_one_that_callers_know(code: str) -> None:
    words = REFUSALS[code]

    assert (words.public or code) in SQUARE_CODES | OUR_CODES
    assert 400 <= words.status <= 503
    assert words.en.strip().endswith((".", "…"))
    assert words.fr.strip().endswith((".", "…", "!"))


@pytest.mark.parametrize("code", sorted(REFUSALS))
def test_both_languages_tell_the_same_parameters(code: str) -> None:
    words = REFUSALS[code]

    def places(text: str) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", text))

    assert places(words.en) == places(words.fr)


def test_a_missing_parameter_leaves_the_words_readable() -> None:
    assert describe("INSUFFICIENT_POINTS", {"available_points": "3"}, "en").endswith("3 of ….")


@pytest.mark.parametrize(
    ("status", "code", "category"),
    [
        (400, "INVALID_VALUE", "INVALID_REQUEST_ERROR"),
        (401, "UNAUTHORIZED", "AUTHENTICATION_ERROR"),
        (403, "INSUFFICIENT_SCOPES", "AUTHENTICATION_ERROR"),
        (403, "PLAN_REQUIRED", "MERCHANT_SUBSCRIPTION_ERROR"),
        (404, "NOT_FOUND", "INVALID_REQUEST_ERROR"),
        (409, "REWARD_LIMIT", "INVALID_REQUEST_ERROR"),
        (429, "RATE_LIMITED", "RATE_LIMIT_ERROR"),
        (503, "SERVICE_UNAVAILABLE", "API_ERROR"),
    ],
)
def test_errors_have_squares_categories(status: int, code: str, category: str) -> None:
    assert category_of(status, code) == category


def test_an_unknown_code_says_nothing_of_the_inside() -> None:
    assert ApiError.of("SOMETHING_ELSE").status == 500


def test_an_item_that_a_service_failed_at_is_our_fault_and_one_to_repeat() -> None:
    error = ApiError.from_item(refusal_pb2.Refusal(code="internal"), {})

    assert (error.status, error.code) == (500, "INTERNAL_SERVER_ERROR")
