"""French as Quebec sets it, in every text of the gateway: one rule, held here for all."""

from __future__ import annotations

import re

import pytest

from services.gateway.errors import REFUSALS, ApiError
from services.gateway.web import i18n
from services.gateway.web.render import environment
from services.gateway.web.typesetting import french, straight
from tests.gateway.web.catalogue import texts

# What no page says: a straight apostrophe in a word, a breakable space before a sign or none
# before a colon, a space before ; ! or ?, a breakable one inside of guillemets.
_WRONG = re.compile(
    r"[^\W\d_]'\w|[^\N{NO-BREAK SPACE}]:(?=\s|$)|\s[;!?](?=\s|$)|« |[^\N{NO-BREAK SPACE}]»"
)


def every_text() -> list[str]:
    said: list[str] = []
    for text, _ in texts():
        said += [text] if isinstance(text, str) else text
    return said + [words.fr for words in REFUSALS.values()]


def test_every_french_text_is_set_by_the_one_rule() -> None:
    wrong = {said for text in every_text() if _WRONG.search(said := french(text))}

    assert not wrong


def test_pages_counted_words_and_refusals_are_all_set() -> None:
    found = (
        environment("fr").from_string('{{ _("Vide: maintenant. À l\'heure du salon.") }}').render()
    )

    assert found == "Vide\N{NO-BREAK SPACE}: maintenant. À l’heure du salon."
    assert i18n.translate("fr", "C'est enregistré.") == "C’est enregistré."
    assert i18n.translate("en", "C'est enregistré.") == "Saved."
    some = i18n.translate_count("fr", "%(num)s jour: l'an", "%(num)s jours: l'an", 2)
    assert some == "2 jours\N{NO-BREAK SPACE}: l’an"
    told = ApiError.of("PLAN_REQUIRED").told("fr")
    assert "permet pas\N{NO-BREAK SPACE}: il faut le forfait Essentiel ou Pro." in told


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Silence de 21:00 à 8:30", "Silence de 21:00 à 8:30"),
        ("https://example.org/m", "https://example.org/m"),
        ("Prêt ? Oui ! Bon ; fini :", "Prêt? Oui! Bon; fini\N{NO-BREAK SPACE}:"),
        ("« Prendre » l'offre", "«\N{NO-BREAK SPACE}Prendre\N{NO-BREAK SPACE}» l’offre"),
        ("%(tier)s: l'%(name)s", "%(tier)s\N{NO-BREAK SPACE}: l’%(name)s"),
        ("'main' or 'other'", "'main' or 'other'"),
    ],
)
def test_only_what_is_words_is_set(typed: str, said: str) -> None:
    assert french(typed) == said
    assert french(said) == said


def test_a_text_message_keeps_the_signs_that_leave_room() -> None:
    """One sign outside of GSM-7 makes 70 characters of 160."""
    assert straight(french("L'offre: « ici »")) == "L'offre : « ici »"
