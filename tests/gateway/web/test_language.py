"""Which language a visitor reads."""

import pytest
from starlette.requests import Request

from services.gateway.web.i18n import language_of


def _request(*, query: str = "", cookie: str = "", accept: str = "") -> Request:
    headers = [(b"cookie", cookie.encode()), (b"accept-language", accept.encode())]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": "/",
            "query_string": query.encode(),
            "headers": [(name, value) for name, value in headers if value],
        }
    )


@pytest.mark.parametrize(
    ("query", "cookie", "own", "accept", "expected"),
    [
        ("lang=en", "meche_lang=fr", "fr", "fr-CA", "en"),
        ("", "meche_lang=en", "fr", "fr-CA", "en"),
        ("", "", "fr", "en-US,en;q=0.9", "fr"),
        ("", "", "", "en-US,en;q=0.9,fr;q=0.8", "en"),
        ("", "", "", "de,fr-CA;q=0.5", "fr"),
        ("", "", "", "de", "fr"),
        ("lang=xx", "meche_lang=xx", "xx", "*", "fr"),
        ("", "", "", "x" * 5000, "fr"),
    ],
)
def test_her_choice_comes_before_her_account_her_browser_and_the_chain(
    query: str, cookie: str, own: str, accept: str, expected: str
) -> None:
    request = _request(query=query, cookie=cookie, accept=accept)

    assert language_of(request, "fr", own=own) == expected
