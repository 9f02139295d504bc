"""What every request passes through: id, headers, body limit, same site, an honest 500."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from prometheus_client import generate_latest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from services.chassis.metrics import REGISTRY
from services.gateway import middleware
from services.gateway.app import create_app
from services.gateway.errors import ApiError
from services.gateway.middleware import BODY_BYTES_MAX, BodyLimit, RequestEnvelope


@pytest.fixture
async def site() -> AsyncIterator[httpx.AsyncClient]:
    """The application without any peer, and two routes of the test's own."""
    settings = SimpleNamespace(
        is_https=True, environment="production", public_url="https://meche.example"
    )
    app: FastAPI = create_app(SimpleNamespace(settings=settings))  # type: ignore[arg-type]

    @app.post("/echo", include_in_schema=False)
    async def echo(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.get("/metrics-seen", include_in_schema=False)
    async def seen() -> str:
        return generate_latest(REGISTRY).decode()

    @app.get("/broken/{thing}", include_in_schema=False)
    async def broken(thing: str) -> None:
        raise RuntimeError(f"secret of {thing}")

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://meche.example") as client:
        yield client


async def test_answers_forbid_what_pages_do_not_need(site: httpx.AsyncClient) -> None:
    answer = await site.get("/")
    policy = answer.headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "camera=(self)" in answer.headers["permissions-policy"]
    assert answer.headers["strict-transport-security"].startswith("max-age=")


async def test_the_front_page_names_the_product_in_both_languages(
    site: httpx.AsyncClient,
) -> None:
    french = await site.get("/", headers={"Accept-Language": "fr"})
    english = await site.get("/", headers={"Accept-Language": "en"})

    assert "Mèche" in french.text
    assert "La fidélité des salons" in french.text
    assert "Loyalty for salons" in english.text
    assert 'href="/docs"' in english.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Referer": "https://evil.example/https://meche.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://meche.example"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://meche.example"}, 200),
        ({"Referer": "https://meche.example/m/salon"}, 200),
    ],
)
async def test_another_site_cannot_use_our_cookies(
    site: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    answer = await site.post("/echo", headers={"Cookie": "meche_staff=x", **headers})

    assert answer.status_code == status


async def test_a_program_without_cookies_needs_no_origin(site: httpx.AsyncClient) -> None:
    assert (await site.post("/echo", content=b"abc")).json() == {"bytes": 3}


@pytest.mark.parametrize(("size", "status"), [(BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413)])
async def test_a_body_may_have_a_megabyte(site: httpx.AsyncClient, size: int, status: int) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, size, 65536):
            yield b"x" * min(65536, size - start)

    for content in (b"x" * size, stream()):
        sent: Any = content
        answer = await site.post("/echo", content=sent)
        assert answer.status_code == status
        assert answer.headers["request-id"]


async def test_a_body_that_does_not_end_is_not_waited_for(
    site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever holds a connection is told so; whoever is slow beside him is not."""
    monkeypatch.setattr(middleware, "BODY_SECONDS_MAX", 0.2)
    ended = asyncio.Event()

    async def stream(pause: float) -> AsyncIterator[bytes]:
        yield b"abc"
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), pause)
        yield b"def"

    async def send(pause: float) -> httpx.Response:
        content: Any = stream(pause)
        return await site.post("/echo", content=content)

    async with asyncio.timeout(10):
        slow = asyncio.create_task(send(0.05))
        held = asyncio.create_task(send(60))
        assert (await slow).json() == {"bytes": 6}
        refused = await held
        # One more for the timer, which has rested meanwhile.
        again = await send(60)
    for answer in (refused, again):
        assert answer.status_code == 408
        assert answer.json()["errors"][0]["code"] == "REQUEST_TIMEOUT"
        assert answer.headers["connection"] == "close"


async def test_a_refusal_may_take_longer_than_the_body_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The time is that of the body: whoever hears slowly why it is too large hears it all."""
    monkeypatch.setattr(middleware, "BODY_SECONDS_MAX", 0.1)
    told: list[str] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"x" * (BODY_BYTES_MAX + 1), "more_body": False}

    async def send(message: Message) -> None:
        told.append(message["type"])
        await asyncio.sleep(0.3)

    async def respond(request: Request, error: ApiError) -> Response:
        return Response(error.code)

    async def unwanted(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    await BodyLimit(unwanted, respond=respond)(scope, receive, send)
    assert told == ["http.response.start", "http.response.body"]


async def test_who_leaves_while_he_sends_is_not_told_that_he_was_slow(
    site: httpx.AsyncClient,
) -> None:
    begun = asyncio.Event()

    async def stream() -> AsyncIterator[bytes]:
        yield b"abc"
        begun.set()
        await asyncio.Event().wait()

    content: Any = stream()
    leaving = asyncio.create_task(site.post("/echo", content=content))
    async with asyncio.timeout(10):
        await begun.wait()
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving


async def test_a_fault_of_ours_says_nothing_of_the_inside(
    site: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = await site.get("/broken/alice@example.com", headers={"Accept": "application/json"})
    page = await site.get("/broken/alice@example.com", headers={"Accept": "text/html"})

    assert answer.status_code == page.status_code == 500
    assert answer.json()["errors"][0]["code"] == "INTERNAL_SERVER_ERROR"
    assert "secret" not in answer.text + page.text
    assert "<h1>" in page.text


async def test_metrics_know_routes_and_not_people(site: httpx.AsyncClient) -> None:
    await site.get("/v2/customers/alice@example.com")
    await site.get("/nowhere/alice@example.com")

    metrics = generate_latest(REGISTRY).decode()
    assert 'route="/v2/customers/{customer_id}"' in metrics
    assert 'route="none"' in metrics
    assert "alice" not in metrics


async def test_the_requests_in_hand_are_counted(site: httpx.AsyncClient) -> None:
    seen = (await site.get("/metrics-seen")).json()
    await site.get("/broken/glass")
    after = generate_latest(REGISTRY).decode()
    assert "loyalty_http_requests_in_flight 1.0" in seen
    assert "loyalty_http_requests_in_flight 0.0" in after


async def test_a_page_that_is_not_there_is_told_to_people_as_a_page(
    site: httpx.AsyncClient,
) -> None:
    page = await site.get("/nowhere", headers={"Accept": "text/html", "Accept-Language": "fr"})
    answer = await site.get("/v2/nowhere", headers={"Accept": "text/html"})

    assert page.status_code == answer.status_code == 404
    assert "Page introuvable" in page.text
    assert answer.json()["errors"][0]["code"] == "NOT_FOUND"


async def test_long_answers_travel_compressed(site: httpx.AsyncClient) -> None:
    answer = await site.get("/openapi.json", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) < len(answer.content) / 4


async def test_the_outermost_layer_is_ours(site: httpx.AsyncClient) -> None:
    """The framework's own net for faults would answer before it and log what it should not."""
    transport: Any = site._transport
    assert isinstance(transport.app.build_middleware_stack(), RequestEnvelope)
