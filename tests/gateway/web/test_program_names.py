"""What a program is called that nobody named: the usual words in the reader's language."""

import pytest

from services.gateway.web import i18n
from services.gateway.web.render import environment
from services.messaging.domain.chain import Language
from services.messaging.templates import given
from services.points.domain import programs


@pytest.mark.parametrize(
    ("name", "language", "shown"),
    [
        ("Vos points", "fr", "Vos points"),
        ("Vos points", "en", "Your points"),
        ("Your points", "fr", "Vos points"),
        ("Your points", "en", "Your points"),
        ("Club Léonie", "en", "Club Léonie"),
    ],
)
def test_a_program_without_a_name_of_its_own_is_called_in_the_reader_s_language(
    name: str, language: str, shown: str
) -> None:
    template = environment(language).from_string("{{ name|program_name }}")
    assert template.render(name=name) == shown


def test_pages_messages_and_the_ledger_know_the_same_usual_name() -> None:
    assert i18n.UNNAMED_PROGRAM["fr"] == programs.DEFAULT_NAME
    assert {one.value.lower(): name for one, name in given.UNNAMED_PROGRAM.items()} == (
        i18n.UNNAMED_PROGRAM
    )
    assert list(given.UNNAMED_PROGRAM) == list(Language)
