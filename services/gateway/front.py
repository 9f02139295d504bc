"""The bare address: says what this is and where to go on."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.gateway.web import i18n, render

router = APIRouter(include_in_schema=False)

_WORDS = {
    "fr": ("Mèche", "La fidélité des salons : points, récompenses et offres.", "API"),
    "en": ("Mèche", "Loyalty for salons: points, rewards and offers.", "API"),
}
_SIGN_IN = {"fr": "Se connecter au panneau", "en": "Sign in to the panel"}


@router.get("/")
async def front_page(request: Request) -> Response:
    """A short page with the doors that anybody may open."""
    language = i18n.language_of(request)
    title, text, api = _WORDS[language]
    return render.page(
        request,
        "layout/problem.html",
        language=language,
        title=title,
        text=text,
        links=[("/admin", _SIGN_IN[language]), ("/docs", api)],
    )
