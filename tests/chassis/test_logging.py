"""Logs: JSON with what the work belongs to, and no person in them."""

from __future__ import annotations

import json
import logging as standard
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from services.chassis import context, logging


@contextmanager
def configured() -> Iterator[None]:
    """Our logging for the length of a block; the lines go where standard output goes now."""
    root = standard.getLogger()
    handlers, level = list(root.handlers), root.level
    logging.configure(service="demo", level="INFO")
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
        structlog.reset_defaults()


def last_line(captured: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(captured.readouterr().out.splitlines()[-1])
    return found


def test_a_line_says_what_it_belongs_to(capsys: pytest.CaptureFixture[str]) -> None:
    with configured(), context.bind(request_id="r-1", chain_id="c-1", event_id="e-1"):
        structlog.get_logger("x").info("reward_taken", reward_id="w-1")

    line = last_line(capsys)
    assert line["event"] == "reward_taken"
    assert (line["request_id"], line["chain_id"], line["event_id"]) == ("r-1", "c-1", "e-1")
    assert (line["service"], line["reward_id"]) == ("demo", "w-1")


def test_personal_data_and_secrets_are_redacted_at_any_depth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with configured():
        structlog.get_logger("x").info(
            "member_enrolled",
            phone_number="+15145550101",
            email="canary@example.com",
            name="Canary",
            member={"first_name": "Canary", "contact": {"phones": ["+15145550101"]}},
            session_token="canary-token",
            points_code="1234canary",
            note="call +1 514-555-0101 or write to canary@example.com",
            status_code=200,
        )

    text = capsys.readouterr().out
    assert "canary" not in text.lower()
    assert "0101" not in text
    assert '"status_code":200' in text


def test_an_exception_loses_the_row_that_postgresql_shows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with configured():
        try:
            raise ValueError("duplicate key\nDETAIL:  Key (phone)=(+15145550101, Canary) exists.")
        except ValueError:
            structlog.get_logger("x").exception("insert_failed")

    text = capsys.readouterr().out
    assert "Canary" not in text
    assert "duplicate key" in text
    assert "Traceback" in text


def test_lines_of_libraries_are_json_too_and_redacted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with configured():
        standard.getLogger("some.library").warning("sent to %s", "canary@example.com")

    line = last_line(capsys)
    assert line["event"] == "sent to [redacted]"
    assert line["logger"] == "some.library"
    assert line["level"] == "warning"


@pytest.mark.parametrize("offered", ["", "a b", "x" * 65, "é", "a\nb", None])
def test_a_harmful_request_id_is_replaced(offered: str | None) -> None:
    assert context.accepted_request_id(offered) != offered
    assert context.accepted_request_id("till-7.req_1") == "till-7.req_1"
