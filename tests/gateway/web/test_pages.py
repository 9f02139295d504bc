"""Pages and static files by themselves: escaped, strict, kept once by phones."""

import asyncio
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from httpx import ASGITransport, AsyncClient
from jinja2 import UndefinedError

from services.chassis.errors import Unavailable
from services.gateway.member.door import PageRoute
from services.gateway.web import assets, i18n, render

TEMPLATES = Path(render.__file__).parent / "templates"


def _client(*, is_https: bool = False) -> AsyncClient:
    app = FastAPI()
    app.state.deps = SimpleNamespace(settings=SimpleNamespace(is_https=is_https))
    app.include_router(assets.router)

    @app.get("/page")
    async def page(request: Request) -> Response:
        return render.page(
            request,
            "layout/problem.html",
            status=404,
            language=i18n.language_of(request),
            title="<script>alert(1)</script>",
            text="é & è",
            links=[("/", "Accueil")],
        )

    return AsyncClient(transport=ASGITransport(app), base_url="http://salon.test")


async def test_what_people_wrote_is_shown_as_text() -> None:
    async with _client() as client:
        answer = await client.get("/page")

    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert answer.headers["cache-control"] == "no-store"


async def test_the_language_of_the_address_is_kept_and_said() -> None:
    async with _client() as client:
        english = await client.get("/page?lang=en&s=qr")
        later = await client.get("/page", headers={"accept-language": "fr"})

    assert '<html lang="en">' in english.text
    assert "Skip to content" in english.text
    assert '<html lang="en">' in later.text
    assert later.headers["content-language"] == "en"


@pytest.mark.parametrize("is_https", [False, True])
async def test_a_proxy_in_front_does_not_change_what_a_cookie_may(is_https: bool) -> None:
    """The platform's own address says whether it is reached by TLS, not a header."""
    async with _client(is_https=is_https) as client:
        proxied = {"x-forwarded-proto": "http" if is_https else "https"}
        answer = await client.get("/page?lang=en", headers=proxied)

    assert ("Secure" in answer.headers["set-cookie"]) is is_https


async def test_a_static_file_is_kept_for_good_under_its_digest_only() -> None:
    async with _client() as client:
        now = await client.get(assets.static("app.css"))
        old = await client.get("/static/0123456789ab/app.css")
        none = await client.get("/static/0123456789ab/%2e%2e/render.py")
        known = await client.get(
            assets.static("app.css"), headers={"if-none-match": now.headers["etag"]}
        )

    assert "immutable" in now.headers["cache-control"]
    assert old.headers["cache-control"] == "no-cache"
    assert none.status_code == 404
    assert known.status_code == 304


async def test_a_service_that_is_away_is_told_as_such_from_reads_side_by_side() -> None:
    app = FastAPI()
    router = APIRouter(route_class=PageRoute)

    @router.get("/card")
    async def card() -> Response:
        async def away() -> None:
            raise Unavailable("points")

        async with asyncio.TaskGroup() as group:
            group.create_task(away())
        return Response()

    async def told(_request: Request, _error: Exception) -> Response:
        return Response(status_code=503)

    app.include_router(router)
    app.add_exception_handler(Unavailable, told)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://salon.test") as client:
        assert (await client.get("/card")).status_code == 503


def test_a_missing_value_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(UndefinedError):
        render.fragment("layout/problem.html", language="fr", title="x")


def test_every_template_can_be_read_in_both_languages() -> None:
    for language in i18n.LANGUAGES:
        environment = render.environment(language)
        for file in sorted(TEMPLATES.rglob("*.*")):
            environment.get_template(file.relative_to(TEMPLATES).as_posix())


def test_no_page_holds_a_script_or_a_style_of_its_own() -> None:
    """The content security policy forbids them, so they would fail without a word."""
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style\b|\son[a-z]+=\"|\sstyle=\"", re.IGNORECASE)

    for file in sorted(TEMPLATES.rglob("*.html")):
        assert not inline.search(file.read_text()), file.name
