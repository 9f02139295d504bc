"""A lost answer is looked up by what was really said, whatever the owner wrote since (ADR 0009)."""

from __future__ import annotations

import pytest

from services.messaging.domain.chain import ChainId, Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import LEASE, MessageKind
from services.messaging.templates import Words
from services.messaging.usecases import own_words
from services.messaging.usecases.own_words import MessageTemplate
from tests.messaging.conftest import MessagingHarness


async def edit_words(messaging: MessagingHarness, chain_id: ChainId, body: str) -> None:
    """The owner changes the words of the welcome."""
    template = MessageTemplate(
        kind=MessageKind.WELCOME,
        channel=Channel.SMS,
        language=Language.FR,
        words=Words(subject="", body=body),
        own=True,
    )
    await own_words.set_template(messaging.deps, chain_id, template)


@pytest.mark.parametrize("fault", ["take and drop", "take and 503", "garbage"])
async def test_words_that_are_changed_after_a_lost_answer_double_nothing(
    messaging: MessagingHarness, fault: str
) -> None:
    """The lookup asks for what was really sent; what was sealed for it goes with the answer."""
    chain_id = await messaging.chain(sandbox=False)
    await edit_words(messaging, chain_id, "{{ chain }}: avant {{ link }}")
    messaging.twilio.script.append(fault)
    await messaging.enroll(chain_id)
    await messaging.drain()
    kept = "SELECT sealed_words FROM delivery WHERE chain_id = $1"
    sealed = await messaging.pool.fetchval(kept, chain_id)
    assert sealed is not None
    assert b"avant" not in sealed

    await edit_words(messaging, chain_id, "{{ chain }}: après {{ link }}")
    messaging.clock.advance(LEASE)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("SENT", "")]
    (message,) = messaging.twilio.taken
    assert "avant" in message["body"]
    assert await messaging.pool.fetchval(kept, chain_id) is None


async def test_what_never_left_is_sent_in_the_words_of_now(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain(sandbox=False)
    await edit_words(messaging, chain_id, "{{ chain }}: avant {{ link }}")
    messaging.twilio.script.append("drop")
    await messaging.enroll(chain_id)
    await messaging.drain()
    await edit_words(messaging, chain_id, "{{ chain }}: après {{ link }}")
    messaging.clock.advance(LEASE)
    await messaging.drain()
    (message,) = messaging.twilio.taken
    assert "après" in message["body"]
