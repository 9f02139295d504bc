"""What a text means (D19, LS-79; api.md 4 "Words")."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.messaging.domain.keywords import Keyword, understood

STOPS = [
    "STOP",
    "stop",
    "Stop",
    " stop ",
    "\tSTOP\n",
    "STOP.",
    "Stop!",
    "stop!!!",
    "STOP...",
    "«STOP»",
    '"stop"',
    "_STOP_",
    "STOPALL",
    "stopall",
    "STOP ALL",
    "UNSUBSCRIBE",
    "Unsubscribe!",
    "CANCEL",
    "cancel.",
    "END",
    "end",
    "QUIT",
    "Quit!",
    "ARRET",
    "arret",
    "ARRÊT",
    "Arrêt",
    "arrêt!",
    "ARRE\u0302T",
    "ＳＴＯＰ",
    "S\u200bTOP",
    "🛑 STOP 🛑",
    "DESABONNER",
    "désabonner",
    "DÉSABONNER.",
    "Me désabonner svp",
    "Stop svp",
    "please stop",
    "Stop, merci",
    "YES STOP",
    "stop yes",
    "OUI mais STOP",
    "yes cancel",
    "Oui, arrêt",
    "START END",
    "help stop",
]
STARTS = [
    "YES",
    "yes",
    "Yes!",
    "YES merci",
    "yes please",
    "Yes.",
    " yes ",
    "OUI",
    "oui",
    "Oui!",
    "oui merci",
    "Ouí",
    "START",
    "start",
    "UNSTOP",
    "unstop",
    "Bien sûr que oui",
    "¡YES!",
    "ＹＥＳ",
    "yes\nmerci",
    "help yes",
]
HELPS = ["HELP", "help", "Help?", "AIDE", "aide", "Aide svp", "INFO", "info!", " Info "]
NOTHINGS = [
    "",
    "   ",
    "?!",
    "yesterday",
    "Yesterday was fine",
    "ouistiti",
    "Louise",
    "stopped",
    "non-stop",
    "Êtes-vous ouverts non-stop?",
    "nonstop",
    "restart",
    "Can I cancel my appointment?",
    "see you at the end of the day",
    "quitte ou double",
    "JOIGNEZ",
    "Bonjour",
    "information",
    "J'ai besoin d'aide",
    "helping",
    "1",
    "🙂",
    "\x00",
]


@pytest.mark.parametrize("text", STOPS)
def test_a_stop_word_stops_whatever_its_spelling_and_company(text: str) -> None:
    """LS-77, D19: stop wins."""
    assert understood(text) is Keyword.STOP


@pytest.mark.parametrize("text", STARTS)
def test_a_yes_counts_as_a_whole_word(text: str) -> None:
    """LS-79, D19."""
    assert understood(text) is Keyword.START


@pytest.mark.parametrize("text", HELPS)
def test_a_call_for_help_is_heard(text: str) -> None:
    """api.md 4."""
    assert understood(text) is Keyword.HELP


@pytest.mark.parametrize("text", NOTHINGS)
def test_what_only_looks_like_a_keyword_is_none(text: str) -> None:
    """D19: "yesterday" does not count."""
    assert understood(text) is Keyword.NONE


@given(
    before=st.text(alphabet=" \t\n.!?,;:()🙂", max_size=6),
    word=st.sampled_from(["stop", "arrêt", "unsubscribe", "désabonner", "stopall"]),
    after=st.text(alphabet=" \t\n.!?,;:()🙂", max_size=6),
    upper=st.booleans(),
)
def test_punctuation_and_case_never_hide_a_stop(
    before: str, word: str, after: str, upper: bool
) -> None:
    """D19."""
    assert understood(before + (word.upper() if upper else word) + after) is Keyword.STOP


@given(text=st.text(max_size=400))
def test_any_text_at_all_is_understood_without_a_fault(text: str) -> None:
    assert understood(text) in Keyword


@given(text=st.text(max_size=80))
def test_a_text_that_also_says_stop_never_starts(text: str) -> None:
    """D19: a message that also holds a stop word stops."""
    assert understood(f"{text} STOP oui") is Keyword.STOP
