"""Who may come in: keys, cookies and operators, before any service is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from services.chassis.clock import SystemClock
from services.gateway.app import create_app, open_deps
from services.gateway.limits import LIMITS
from services.gateway.settings import Settings

# Nothing listens there: whoever asks a service fails the test.
NOWHERE = "127.0.0.1:1"
# Longer than any token of ours, so that nobody needs to ask whose it is.
NOBODYS = "mk_live_" + "x" * 300


def settings(redis_url: str, **said: str) -> Settings:
    """A gateway without peers."""
    peers = {
        f"{name}_address": NOWHERE
        for name in ("enrollment", "points", "rewards", "messaging", "offers")
    }
    return Settings.model_validate(
        {
            "redis_url": redis_url,
            "ops_port": 1,
            "http_port": 2,
            "operator_key": "op_a-key-of-some-length",
            **peers,
            **said,
        }
    )


@pytest.fixture
async def door(redis_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with Redis.from_url(redis_url) as redis:
        deps = open_deps(settings(redis_url), redis, SystemClock())
        transport = httpx.ASGITransport(app=create_app(deps))
        async with httpx.AsyncClient(transport=transport, base_url="http://meche") as client:
            yield client
        await deps.clients.close()


async def test_an_unknown_key_is_told_so_until_it_knocks_too_often(
    door: httpx.AsyncClient,
) -> None:
    headers = {"Authorization": f"Bearer {NOBODYS}"}
    # The limit refills while we knock, so that a slow machine knocks longer.
    for _ in range(LIMITS["unknown_token"].times * 10):
        answer = await door.get("/v2/loyalty/programs", headers=headers)
        if answer.status_code == 429:
            break
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"

    assert answer.json()["errors"][0]["code"] == "RATE_LIMITED"
    assert answer.json()["errors"][0]["category"] == "RATE_LIMIT_ERROR"
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("header", ["", "Bearer", "Basic eDp5", "bearer", "Token op_a-key"])
async def test_a_request_without_a_key_is_not_let_in(door: httpx.AsyncClient, header: str) -> None:
    for path in ("/v2/loyalty/programs", "/v2/operator/chains", "/v2/sandbox/clock"):
        answer = await door.get(path, headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.json()["errors"][0]["code"] == "UNAUTHORIZED"


async def test_a_service_out_of_reach_is_told_as_a_moment(door: httpx.AsyncClient) -> None:
    """Reliability 11: a caller hears 503 within its budget and may send it again."""
    answer = await door.get("/v2/loyalty/programs", headers={"Authorization": "Bearer mk_x"})

    assert answer.status_code == 503
    assert answer.json()["errors"][0] == {
        "category": "API_ERROR",
        "code": "SERVICE_UNAVAILABLE",
        "detail": "The service is out of reach for a moment. Try again with the same key.",
    }
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ({"operator_key": "short"}, "OPERATOR_KEY"),
        ({"tls_cert_file": "/tmp/x"}, "TLS_CERT_FILE"),
        ({"trusted_proxies": "everyone"}, "TRUSTED_PROXIES"),
        ({"environment": "production"}, "SECRET_KEY"),
        ({"redis_url": ""}, "REDIS_URL"),
    ],
)
def test_wrong_settings_are_refused_by_name(said: dict[str, str], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        settings(**{"redis_url": "redis://127.0.0.1:1/0", **said})
