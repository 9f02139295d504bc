"""Every text is said in both languages: French in the code, English in the catalogue."""

from collections import defaultdict

from babel.messages.catalog import Message
from babel.messages.pofile import read_po

from services.gateway.web import i18n
from tests.gateway.web.catalogue import LOCALES, Text, texts


def _entries() -> list[tuple[str, Message]]:
    found = []
    for file in sorted(LOCALES.glob("*.po")):
        with file.open("rb") as source:
            found += [(file.name, message) for message in read_po(source) if message.id]
    return found


def _key(message: Message) -> Text:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def _forms(message: Message) -> tuple[str, ...]:
    said = message.string or ""
    return (said,) if isinstance(said, str) else tuple(said)


def test_every_text_of_pages_and_code_has_an_english_translation() -> None:
    known = {_key(message) for _, message in _entries()}

    missing = {f"{where}: {text}" for text, where in texts() if text not in known}

    assert not missing


def test_no_translation_is_empty_fuzzy_or_unused() -> None:
    used = {text for text, _ in texts()}

    for file, message in _entries():
        assert not message.fuzzy, f"{file}: {message.id}"
        assert all(_forms(message)), f"{file}: {message.id} has no English"
        assert _key(message) in used, f"{file}: nobody says {message.id}"


def test_one_french_text_has_one_english_text_in_all_rooms() -> None:
    said: dict[tuple[str | None, Text], set[tuple[str, ...]]] = defaultdict(set)
    for _, message in _entries():
        said[(message.context, _key(message))].add(_forms(message))

    assert not {key: forms for key, forms in said.items() if len(forms) > 1}


def test_translations_keep_the_places_that_are_filled_in() -> None:
    for file, message in _entries():
        french = message.id if isinstance(message.id, str) else message.id[-1]
        for form in _forms(message):
            wanted, given = (set(_places(text)) for text in (french, form))
            assert given <= wanted, f"{file}: {message.id}"
            assert wanted <= given or "num" in wanted - given, f"{file}: {message.id}"


def _places(text: str) -> list[str]:
    return [part.split(")")[0] for part in text.split("%(")[1:]]


def test_zero_is_singular_in_french_and_plural_in_english() -> None:
    one, many = "%(num)s récompense vous attend.", "%(num)s récompenses vous attendent."

    assert i18n.translate_count("fr", one, many, 0) == "0 récompense vous attend."
    assert i18n.translate_count("fr", one, many, 2) == "2 récompenses vous attendent."
    assert i18n.translate_count("en", one, many, 0) == "0 rewards are waiting for you."
    assert i18n.translate_count("en", one, many, 1) == "1 reward is waiting for you."


def test_money_and_days_are_written_as_the_language_does() -> None:
    assert i18n.format_money(2000, "CAD", "fr") == "20,00\N{NO-BREAK SPACE}$"
    assert i18n.format_money(-5, "CAD", "en") == "-$0.05"
    assert i18n.format_date("2026-12-31", "fr") == "31 décembre 2026"
    assert i18n.format_date("2026-12-31", "en") == "December 31, 2026"
