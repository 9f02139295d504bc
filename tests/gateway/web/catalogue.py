"""Every text of the gateway as its code and templates say it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract_from_file

GATEWAY = Path(__file__).parents[3] / "services" / "gateway"
LOCALES = GATEWAY / "web" / "locales" / "en"
# `translate(language, "…")` and its sisters name the language first.
PYTHON_KEYWORDS = {
    "translate": (2,),
    "translate_count": (2, 3),
    "say": (1,),
    "count": (1, 2),
    "N_": (1,),
    "_": (1,),
}
TEMPLATE_KEYWORDS = {"_": (1,), "gettext": (1,), "ngettext": (1, 2)}

Text = str | tuple[str, ...]


def texts() -> Iterator[tuple[Text, str]]:
    """Each text with the file that says it."""
    for file in sorted((GATEWAY / "web" / "templates").rglob("*.*")):
        options = {"trimmed": "true", "silent": "false"}
        method = "jinja2.ext:babel_extract"
        for found in extract_from_file(method, file, TEMPLATE_KEYWORDS, (), options):
            yield found[1], file.name
    for file in sorted(GATEWAY.rglob("*.py")):
        for found in extract_from_file("python", file, PYTHON_KEYWORDS):
            yield found[1], file.name
