"""The words of messages: complete in both languages, short, harmless whatever a name says."""

from __future__ import annotations

import re

import pytest

from services.gateway.web import typesetting
from services.messaging import templates
from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.segments import Encoding, measured
from services.messaging.templates import Words, given

PARAMS = {"chain": "Mèche", "code": "123456", "link": "https://fidelite.example.ca/m/salon-meche"}
FRENCH_MAIL = (Channel.EMAIL, Language.FR)
FRENCH_TEXT = (Channel.SMS, Language.FR)
BOTH = (Language.FR, Language.EN)
EVERY = [
    (MessageKind.ONE_TIME_CODE, Channel.SMS, ""),
    (MessageKind.ONE_TIME_CODE, Channel.EMAIL, ""),
    (MessageKind.WELCOME, Channel.SMS, ""),
    (MessageKind.WELCOME, Channel.EMAIL, ""),
    (MessageKind.KEYWORD_ANSWER, Channel.SMS, templates.STOPPED),
    (MessageKind.KEYWORD_ANSWER, Channel.SMS, templates.STARTED),
    (MessageKind.KEYWORD_ANSWER, Channel.SMS, templates.HELP),
]


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize(("kind", "channel", "answer"), EVERY)
def test_every_message_has_words_in_both_languages(
    kind: MessageKind, channel: Channel, answer: str, language: Language
) -> None:
    words = templates.render(kind, channel, [language], answer=answer, params=PARAMS)
    assert "Mèche" in words.body
    assert "{{" not in words.body
    assert bool(words.subject) is (channel is Channel.EMAIL)


@pytest.mark.parametrize("language", BOTH)
@pytest.mark.parametrize(
    ("kind", "answer"),
    [(kind, answer) for kind, channel, answer in EVERY if channel is Channel.SMS],
)
def test_every_text_is_one_segment_of_gsm7(
    kind: MessageKind, answer: str, language: Language
) -> None:
    words = templates.render(kind, Channel.SMS, [language], answer=answer, params=PARAMS)
    length = measured(words.body)
    assert (length.encoding, length.segments) == (Encoding.GSM7, 1)


def test_french_is_set_in_e_mail_and_plain_in_texts() -> None:
    """The signs of French typography would make two messages of one text."""
    words = [*given.SUBJECTS.items(), *given.BODIES.items()]
    mail = [text for (_, channel, language), text in words if (channel, language) == FRENCH_MAIL]
    texts = [text for (_, channel, language), text in words if (channel, language) == FRENCH_TEXT]
    assert len(mail) > 15
    assert len(texts) > 15
    for text in (*mail, given.CONFIRM[Language.FR], given.UNSUBSCRIBE[Language.FR]):
        assert text == typesetting.french(text)
    for text in (*texts, given.STOP[Language.FR]):
        assert text == typesetting.straight(text)
    params = {**PARAMS, "points": "3", "term": "points", "last_day": "2027-08-01"}
    for channel, day in ((Channel.EMAIL, "1er août 2027"), (Channel.SMS, "1er aout 2027")):
        warning = templates.render(
            MessageKind.EXPIRY_WARNING, channel, [Language.FR], params=params
        )
        assert day in warning.body


def test_the_welcome_says_who_where_and_how_to_leave() -> None:
    """SQ-27: confirms the enrolment, with the link; in both languages."""
    french = templates.render(MessageKind.WELCOME, Channel.SMS, [Language.FR], params=PARAMS)
    english = templates.render(MessageKind.WELCOME, Channel.SMS, [Language.EN], params=PARAMS)
    for word in ("Mèche", "inscrit", PARAMS["link"], "ARRET", "AIDE"):
        assert word in french.body
    for word in ("Mèche", "enrolled", PARAMS["link"], "STOP", "HELP"):
        assert word in english.body


def test_a_stranger_is_answered_in_both_languages() -> None:
    words = templates.render(
        MessageKind.KEYWORD_ANSWER, Channel.SMS, BOTH, answer=templates.STOPPED, params=PARAMS
    )
    assert "OUI" in words.body
    assert "YES" in words.body


@pytest.mark.parametrize(
    "name",
    [
        "{{ 7 * 7 }}",
        "{% for x in range(10**9) %}x{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
        "Salon\r\nBcc: everyone@example.com",
        "Salon\u2028Deux",
        "<script>alert(1)</script> & fils",
    ],
)
def test_a_name_is_data_and_never_a_template_or_a_header(name: str) -> None:
    words = templates.render(
        MessageKind.WELCOME, Channel.EMAIL, BOTH, params={**PARAMS, "chain": name}
    )
    assert "\r" not in words.subject
    assert "\n" not in words.subject
    assert re.sub(r"\s+", " ", name) in words.subject


def test_a_very_long_name_is_cut() -> None:
    assert len(templates.short_name("Salon " * 50)) <= templates.NAME_LENGTH_MAX
    assert templates.short_name("Salon Mèche") == "Salon Mèche"


@pytest.mark.parametrize(
    ("language", "name", "read"),
    [
        (Language.FR, "Vos points", "Vos points"),
        (Language.EN, "Vos points", "Your points"),
        (Language.EN, "Club Léonie", "Club Léonie"),
    ],
)
def test_a_program_that_nobody_named_is_called_in_her_language(
    language: Language, name: str, read: str
) -> None:
    own = {language: Words(subject="", body="{{ program }}")}
    shown = templates.render(
        MessageKind.RECEIPT, Channel.SMS, [language], params={"program": name}, own=own
    )
    assert shown.body == read
