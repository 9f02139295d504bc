"""Words of a chain's own: checked, previewed, sent, taken back (LS-68)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.messaging import rpc, templates
from services.messaging.domain import errors
from services.messaging.domain.chain import ChainId, Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.segments import Encoding, measured
from services.messaging.templates import Words, names
from services.messaging.usecases import own_words
from services.messaging.usecases.own_words import MessageTemplate
from tests.messaging.conftest import MessagingHarness
from tests.messaging.wire import serving

SAMPLE = {
    "chain": "Salon Mèche",
    "link": "https://fidelite.example.ca/m/salon-meche",
    "points": "12",
    "term": "points",
    "balance": "57",
    "balances": "57 points",
    "tier": "Or",
    "risen": "1",
    "first": "1",
    "last_day": "2027-08-31",
    "offer": "10 % sur les soins",
    "name": "Alice",
}
GIVEN = [
    (kind, channel, language)
    for kind in templates.CUSTOM
    for channel in Channel
    for language in Language
    if (kind, channel) != (MessageKind.COLLECT_EMAIL, Channel.EMAIL)
]


def sms(body: str, kind: MessageKind = MessageKind.RECEIPT) -> MessageTemplate:
    return MessageTemplate(
        kind=kind,
        channel=Channel.SMS,
        language=Language.FR,
        words=Words(subject="", body=body),
        own=True,
    )


@pytest.mark.parametrize(("kind", "channel", "language"), GIVEN)
def test_every_given_message_passes_its_own_check(
    kind: MessageKind, channel: Channel, language: Language
) -> None:
    words = templates.given_words(kind, channel, language)
    templates.check(kind, channel, words)
    shown = templates.render(kind, channel, [language], params=SAMPLE)
    assert "Salon Mèche" in shown.body
    if channel is Channel.SMS:
        length = measured(shown.body)
        assert (length.encoding, length.segments) == (Encoding.GSM7, 1), shown.body


@pytest.mark.parametrize(
    "body",
    [
        "{{ balace }}",
        "{{ points",
        "{% if points %}x",
        "{% for x in points %}x{% endfor %}",
        "{{ points * 10**9 }}",
        "{{ 'a' * 10**9 }}",
        "{{ chain.__class__ }}",
        "{{ chain['__class__'] }}",
        "{{ range(10) }}",
        "{{ chain|upper }}",
        "{% set x = 1 %}{{ x }}",
        "{% include 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% raw %}{{ x }}{% endraw %}{{ y }}",
        "{{ self }}",
        "{{ code }}",
        "{% if points > chain %}x{% endif %}",
        "{% if chain %}" * 35 + "x" + "{% endif %}" * 35,
        "{{ " + "(" * 500 + "points" + ")" * 400 + " }}",
    ],
)
async def test_words_that_do_not_work_are_refused_with_what_and_where(
    messaging: MessagingHarness, body: str
) -> None:
    chain_id = await messaging.chain()
    with pytest.raises(errors.TemplateInvalid) as refused:
        await own_words.set_template(messaging.deps, chain_id, sms(body))
    assert set(refused.value.params) == {"what", "line"}
    assert refused.value.field == "body"
    assert not any(one.own for one in await own_words.list_templates(messaging.deps, chain_id))


@pytest.mark.parametrize(
    ("words", "refusal", "field"),
    [
        (Words(subject="", body=" "), errors.TemplateEmpty, "body"),
        (Words(subject=" ", body="Bonjour"), errors.TemplateEmpty, "subject"),
        (Words(subject="", body="x" * 10_001), errors.TemplateTooLong, "body"),
        (Words(subject="x" * 201, body="Bonjour"), errors.TemplateTooLong, "subject"),
    ],
)
def test_words_of_no_length_and_of_too_much_are_refused_for_that(
    words: Words, refusal: type[errors.TemplateInvalid], field: str
) -> None:
    with pytest.raises(refusal) as refused:
        templates.check(MessageKind.RECEIPT, Channel.EMAIL, words)
    assert refused.value.field == field


def test_a_wrong_name_is_shown_with_its_line() -> None:
    with pytest.raises(errors.TemplateInvalid) as refused:
        templates.check(
            MessageKind.RECEIPT, Channel.SMS, Words(subject="", body="{{ chain }}\n{{ balace }}")
        )
    assert refused.value.params == {"what": "balace", "line": "2"}


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "{%",
                "%}",
                " if ",
                " endif ",
                " else ",
                "points",
                "chain",
                "(",
                ")",
                "*",
                "9",
                ".",
                "|",
                "for x in chain",
                "endfor",
                "'",
                "~",
                "not ",
                ">",
                " ",
                "é",
                "\n",
            ]
        ),
        max_size=40,
    )
)
def test_no_words_take_long_or_grow_large(pieces: list[str]) -> None:
    """Goal: whatever is refused or rendered, it is done at once and within its length."""
    body = "".join(pieces)
    started = time.monotonic()
    try:
        templates.check(MessageKind.RECEIPT, Channel.SMS, Words(subject="", body=body))
    except errors.TemplateInvalid:
        pass
    else:
        own = {Language.FR: Words(subject="", body=body)}
        shown = templates.render(
            MessageKind.RECEIPT, Channel.SMS, [Language.FR], params=SAMPLE, own=own
        )
        assert len(shown.body) <= 1_530
    assert time.monotonic() - started < 1


async def test_a_chains_own_words_are_sent_until_it_takes_them_back(
    messaging: MessagingHarness,
) -> None:
    """LS-68: own words in her language; the given ones in the other, and after a reset."""
    chain_id = await messaging.chain()
    saved, warnings = await own_words.set_template(
        messaging.deps, chain_id, sms("{{ chain }}: salut {{ name }}!", MessageKind.WELCOME)
    )
    assert (saved.own, warnings) == (True, ())
    await messaging.enroll(chain_id, given_name="Alice")
    await messaging.enroll(chain_id, phone="+15145550124", language=Language.EN)
    await own_words.reset_template(
        messaging.deps, chain_id, MessageKind.WELCOME, Channel.SMS, Language.EN
    )
    await messaging.drain()
    bodies = [one.body for one in reversed(await messaging.mailbox(chain_id))]
    assert bodies[0] == "Salon Mèche: salut Alice!"
    assert "you are enrolled" in bodies[1]
    for _ in range(2):
        await own_words.reset_template(
            messaging.deps, chain_id, MessageKind.WELCOME, Channel.SMS, Language.FR
        )
    await messaging.enroll(chain_id, phone="+15145550125")
    await messaging.drain()
    assert "inscrit" in (await messaging.mailbox(chain_id))[0].body


async def test_another_chains_words_stay_its_own(messaging: MessagingHarness) -> None:
    alices, charlies = await messaging.chain(), await messaging.chain()
    await own_words.set_template(messaging.deps, alices, sms("{{ chain }}: {{ points }}"))
    assert not any(one.own for one in await own_words.list_templates(messaging.deps, charlies))


@pytest.mark.parametrize(
    ("body", "warnings", "beyond"),
    [
        ("{{ chain }}: {{ points }}", [], ""),
        ("Salon Mèche: {{ points }}", [], ""),
        ("Vos points: {{ points }}", ["salon_name_missing"], ""),
        ("{{ chain }}: fête! Ça va?", ["beyond_gsm7"], "ê"),
        ("{{ chain }}: l’été… «promo»", [], ""),
        ("{{ chain }}: " + "a" * 160, ["more_than_one_segment"], ""),
        ("fête " * 20, ["salon_name_missing", "more_than_one_segment", "beyond_gsm7"], "ê"),
    ],
)
async def test_a_preview_warns_of_what_words_cost(
    messaging: MessagingHarness, body: str, warnings: list[str], beyond: str
) -> None:
    """LS-68: without the salon's name a warning, not an error; segments and letters are told."""
    chain_id = await messaging.chain()
    shown = await own_words.preview_message(messaging.deps, chain_id, sms(body))
    assert list(shown.warnings) == warnings
    assert shown.beyond_gsm == beyond
    _, saved = await own_words.set_template(messaging.deps, chain_id, sms(body))
    assert list(saved) == warnings


async def test_the_panel_reads_saves_and_previews_words(messaging: MessagingHarness) -> None:
    """LS-68, over gRPC; a preview without words shows the chain's."""
    chain_id = await messaging.chain()
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        listed = await stub.ListTemplates(pb.ListTemplatesRequest(chain_id=str(chain_id)))
        assert len(listed.templates) == len(GIVEN)
        receipt = next(
            one
            for one in listed.templates
            if (one.kind, one.channel, one.language)
            == (pb.MESSAGE_KIND_RECEIPT, types_pb2.CHANNEL_SMS, types_pb2.LANGUAGE_EN)
        )
        assert set(receipt.variables) == set(names.variables(MessageKind.RECEIPT))
        receipt.body = "{{ chain }} 💈 {{ points }}"
        saved = await stub.SetTemplate(
            pb.SetTemplateRequest(chain_id=str(chain_id), template=receipt)
        )
        assert (saved.template.own, list(saved.warnings)) == (True, ["beyond_gsm7"])
        receipt.ClearField("body")
        shown = await stub.PreviewMessage(
            pb.PreviewMessageRequest(chain_id=str(chain_id), template=receipt)
        )
        assert (shown.encoding, shown.segments, shown.beyond_gsm) == ("UCS_2", 1, "💈")
        assert shown.body == "Salon Mèche 💈 12"
        receipt.body = "{{ nobody }}"
        with pytest.raises(RemoteRefusal) as refused:
            await stub.PreviewMessage(
                pb.PreviewMessageRequest(chain_id=str(chain_id), template=receipt)
            )
        assert (refused.value.code, refused.value.params["what"]) == ("template_invalid", "nobody")
        for kind in (pb.MESSAGE_KIND_ONE_TIME_CODE, pb.MESSAGE_KIND_UNSPECIFIED):
            receipt.kind = kind
            with pytest.raises(RemoteRefusal) as refused:
                await stub.SetTemplate(
                    pb.SetTemplateRequest(chain_id=str(chain_id), template=receipt)
                )
            assert refused.value.code == "template_unknown"


async def test_settings_travel(messaging: MessagingHarness) -> None:
    chain_id: ChainId = await messaging.chain()
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        saved = await stub.UpdateMessageSettings(
            pb.UpdateMessageSettingsRequest(
                chain_id=str(chain_id),
                receipts=pb.RECEIPT_MODE_FIRST_ONLY,
                quiet_from="22:00",
                quiet_until="07:30",
                daily_sms_cap=100,
            )
        )
        read = await stub.GetMessageSettings(pb.GetMessageSettingsRequest(chain_id=str(chain_id)))
        assert read.settings == saved.settings
        assert (read.settings.receipts, read.settings.quiet_until) == (
            pb.RECEIPT_MODE_FIRST_ONLY,
            "07:30",
        )
        with pytest.raises(RemoteRefusal) as refused:
            await stub.UpdateMessageSettings(
                pb.UpdateMessageSettingsRequest(
                    chain_id=str(chain_id), receipts=pb.RECEIPT_MODE_UNSPECIFIED
                )
            )
        assert refused.value.code == "receipt_mode_invalid"
