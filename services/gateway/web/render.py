"""Pages from templates: escaped, strict about missing values, in the visitor's language."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from google.protobuf.timestamp_pb2 import Timestamp
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.gateway.deps import get_deps
from services.gateway.web import i18n
from services.gateway.web.assets import static

_TEMPLATES = Path(__file__).parent / "templates"


def _instant(stamp: Timestamp) -> datetime:
    """A service's time as an aware one."""
    return stamp.ToDatetime(UTC)


@functools.cache
def environment(language: str) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.policies["ext.i18n.trimmed"] = True
    words = i18n.texts(language)
    made.install_gettext_callables(  # type: ignore[attr-defined]
        words.gettext,
        words.ngettext,
        newstyle=True,
        pgettext=words.pgettext,
        npgettext=words.npgettext,
    )
    made.globals.update(static=static, lang=language, languages=i18n.LANGUAGES)
    made.filters.update(zip=zip, instant=_instant)
    made.filters["phone"] = i18n.format_phone
    made.filters["program_name"] = functools.partial(i18n.program_name, language=language)
    made.filters["number"] = functools.partial(i18n.format_number, language=language)
    made.filters["money"] = functools.partial(i18n.format_money, language=language)
    made.filters["day"] = functools.partial(i18n.format_date, language=language)
    made.filters["moment"] = functools.partial(i18n.format_moment, language=language)
    made.filters["time_of_day"] = functools.partial(i18n.format_time, language=language)
    return made


def fragment(template: str, /, *, language: str, **context: object) -> Markup:
    """A part of a page, for a page that changes without being loaded again."""
    return Markup(environment(language).get_template(template).render(**context))  # noqa: S704


def language_links(request: Request) -> dict[str, str]:
    """This page's own address in each language, its other parameters kept."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return {
        language: f"{request.url.path}?{urlencode([*kept, ('lang', language)])}"
        for language in i18n.LANGUAGES
    }


def page(
    request: Request, template: str, /, *, status: int = 200, language: str, **context: object
) -> HTMLResponse:
    """A whole page. It is made for one visitor, so no shared cache may keep it."""
    body = (
        environment(language)
        .get_template(template)
        .render(language_links=language_links(request), current_path=request.url.path, **context)
    )
    response = HTMLResponse(
        body,
        status_code=status,
        headers={
            "cache-control": "no-store",
            "content-language": language,
            "vary": "Accept-Language, Cookie",
        },
    )
    if request.query_params.get("lang") in i18n.LANGUAGES:
        keep_language(request, response, language)
    return response


def keep_language(request: Request, response: Response, language: str) -> None:
    """Remembers the language that the visitor chose; it is a wish, not a secret."""
    response.set_cookie(
        i18n.LANGUAGE_COOKIE,
        language,
        max_age=i18n.LANGUAGE_COOKIE_SECONDS,
        path="/",
        httponly=True,
        samesite="lax",
        secure=get_deps(request).settings.is_https,
    )
