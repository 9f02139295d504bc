"""Text-to-join: a chain's own number, its keyword and the link that answers it (LS-18 to LS-21)."""

from __future__ import annotations

import asyncio
import base64
import re
import struct
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.chassis.signing import Sealer, Unsealable
from services.messaging import rpc
from services.messaging.domain import errors
from services.messaging.domain.chain import ChainId, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.keywords import Keyword
from services.messaging.domain.text_to_join import FORMER_KEYWORDS_MAX
from services.messaging.usecases import numbers
from services.messaging.usecases.numbers import ProvisionNumber
from tests.messaging.conftest import NOW, PHONE, SECRET, SHARED_NUMBER, MessagingHarness
from tests.messaging.conftest import OPERATOR as BY_OPERATOR
from tests.messaging.wire import serving

OWN = "+14385550177"
OTHER = "+14385550178"
OPERATOR = types_pb2.Actor(kind=types_pb2.Actor.KIND_OPERATOR, id="op")
OWNER = types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="owner")


@pytest.fixture
async def door(
    messaging: MessagingHarness,
) -> AsyncIterator[messaging_pb2_grpc.MessagingServiceStub]:
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        yield messaging_pb2_grpc.MessagingServiceStub(channel)


async def pro_chain(
    messaging: MessagingHarness, *, number: str = OWN, sandbox: bool = False, keyword: str = ""
) -> ChainId:
    """A chain on Pro with its own number."""
    chain_id = await messaging.chain(sandbox=sandbox, plan=Plan.PRO, slug=f"s-{uuid4().hex[:6]}")
    await numbers.provision_number(
        messaging.deps,
        ProvisionNumber(chain_id=chain_id, number=number, keyword=keyword, actor=BY_OPERATOR),
    )
    return chain_id


async def leave_pro(messaging: MessagingHarness, chain_id: ChainId, plan: Plan) -> None:
    await messaging.tell_chain(chain_id, sandbox=False, plan=plan, version=2)


def opened(link: str, chain_id: ChainId) -> tuple[str, int]:
    """Phone and end of the token in a link, as the sign-up form opens it."""
    token = re.search(r"[?&]t=([A-Za-z0-9_-]+)", link)
    assert token is not None
    raw = base64.urlsafe_b64decode(token[1] + "=" * (-len(token[1]) % 4))
    payload = Sealer(SECRET, f"join-phone/{chain_id}").open(raw)
    return payload[4:].decode(), struct.unpack(">I", payload[:4])[0]


# -- who may have a number -------------------------------------------------------------------


@pytest.mark.parametrize("plan", [Plan.PARTANT, Plan.ESSENTIEL])
async def test_a_number_of_ones_own_is_refused_below_pro(
    messaging: MessagingHarness,
    door: messaging_pb2_grpc.MessagingServiceStub,
    plan: Plan,
) -> None:
    """LS-18, P1: 403 below Pro, for the operator too."""
    chain_id = await messaging.chain(plan=plan)
    for actor in (OWNER, OPERATOR):
        with pytest.raises(RemoteRefusal) as refused:
            await door.ProvisionNumber(
                pb.ProvisionNumberRequest(chain_id=str(chain_id), number=OWN, actor=actor)
            )
        assert refused.value.code == "pro_required"
        assert refused.value.status.name == "PERMISSION_DENIED"
    found = await door.GetTextToJoin(pb.GetTextToJoinRequest(chain_id=str(chain_id)))
    assert (found.allowed, found.text_to_join.number) == (False, "")


async def test_a_live_number_is_set_up_by_an_operator_and_then_shown(
    messaging: MessagingHarness, door: messaging_pb2_grpc.MessagingServiceStub
) -> None:
    """LS-19, LS-41: nothing before ("Contactez-nous"), the number with its keyword after."""
    chain_id = await messaging.chain(sandbox=False, plan=Plan.PRO)
    asked = pb.GetTextToJoinRequest(chain_id=str(chain_id))
    before = await door.GetTextToJoin(asked)
    assert (before.allowed, before.text_to_join.number) == (True, "")
    wanted = pb.ProvisionNumberRequest(chain_id=str(chain_id), number="438 555-0177", actor=OWNER)
    with pytest.raises(RemoteRefusal) as refused:
        await door.ProvisionNumber(wanted)
    assert refused.value.code == "operator_required"
    wanted.actor.CopyFrom(OPERATOR)
    for _ in range(2):
        await door.ProvisionNumber(wanted)
    shown = (await door.GetTextToJoin(asked)).text_to_join
    assert (shown.number, shown.keyword) == (OWN, "JOIGNEZ")
    sender = await door.GetSenderNumber(pb.GetSenderNumberRequest(chain_id=str(chain_id)))
    assert sender.number == OWN
    changed = await door.SetKeyword(
        pb.SetKeywordRequest(chain_id=str(chain_id), keyword="Fidélité", actor=OWNER)
    )
    assert changed.text_to_join.keyword == "Fidélité"


async def test_a_sandbox_is_given_its_number_at_once(
    messaging: MessagingHarness, door: messaging_pb2_grpc.MessagingServiceStub
) -> None:
    """LS-19: whoever builds against a sandbox waits for nobody; numbers of stories only."""
    chain_id = await messaging.chain(plan=Plan.PRO)
    answer = await door.ProvisionNumber(
        pb.ProvisionNumberRequest(chain_id=str(chain_id), actor=OWNER)
    )
    assert re.fullmatch(r"\+151455501\d\d", answer.text_to_join.number)
    assert answer.text_to_join.number != SHARED_NUMBER


async def test_one_number_belongs_to_one_chain(messaging: MessagingHarness) -> None:
    """LS-19: two chains that are given the same number at once: one gets it."""
    chains = [await messaging.chain(sandbox=False, plan=Plan.PRO) for _ in range(2)]
    found = await asyncio.gather(
        *(
            numbers.provision_number(
                messaging.deps,
                ProvisionNumber(chain_id=one, number=OWN, keyword="", actor=BY_OPERATOR),
            )
            for one in chains
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(one, errors.NumberTaken) for one in found) == 1
    with pytest.raises(errors.NumberTaken):
        await pro_chain(messaging, number=SHARED_NUMBER)


async def test_a_released_number_can_be_given_to_another_chain(
    messaging: MessagingHarness, door: messaging_pb2_grpc.MessagingServiceStub
) -> None:
    """LS-19: one chain at a time; released, the chain speaks from the shared number again."""
    first = await pro_chain(messaging)
    request = pb.ReleaseNumberRequest(chain_id=str(first), actor=OPERATOR)
    for _ in range(2):
        await door.ReleaseNumber(request)
    assert await numbers.sender_number(messaging.deps, first) == SHARED_NUMBER
    second = await pro_chain(messaging)
    assert await numbers.sender_number(messaging.deps, second) == OWN


@pytest.mark.parametrize("keyword", ["STOP", "oui", "Aide", "deux mots", "x", "é" * 31, "!!"])
async def test_a_keyword_is_one_word_with_no_other_meaning(
    messaging: MessagingHarness, keyword: str
) -> None:
    """LS-20: STOP, YES and HELP keep their meaning (LS-79)."""
    chain_id = await pro_chain(messaging)
    with pytest.raises((errors.KeywordInvalid, errors.KeywordReserved)):
        await numbers.set_keyword(messaging.deps, chain_id, keyword, actor=BY_OPERATOR)


# -- the keyword and its link ----------------------------------------------------------------


@pytest.mark.parametrize("words", ["JOIGNEZ", "joignez ", "Joignez", "Joignéz!", " « joignez ». "])
async def test_the_keyword_brings_one_link(messaging: MessagingHarness, words: str) -> None:
    """LS-20: in any case, with accents, spaces and signs; the answer leaves from that number."""
    chain_id = await pro_chain(messaging)
    assert await messaging.text(words, number=OWN) is Keyword.JOIN
    await messaging.drain()
    (sent,) = messaging.twilio.taken
    assert (sent["to"], sent["from"]) == (PHONE, OWN)
    assert "/join?s=sms&t=" in sent["body"]
    assert [one.kind.value for one in await messaging.entries(chain_id)] == ["TEXT_TO_JOIN"]


async def test_the_link_carries_the_phone_sealed_and_for_an_hour(
    messaging: MessagingHarness,
) -> None:
    """LS-21: the form knows the phone; nobody who sees the address of the page does."""
    chain_id = await pro_chain(messaging)
    await messaging.text("JOIGNEZ", number=OWN)
    await messaging.drain()
    (sent,) = messaging.twilio.taken
    link = next(word for word in sent["body"].split() if word.startswith("https://"))
    assert PHONE.removeprefix("+") not in link
    assert opened(link, chain_id) == (PHONE, int((NOW + timedelta(hours=1)).timestamp()))
    with pytest.raises(Unsealable):
        opened(link, ChainId(uuid4()))


async def test_a_replayed_keyword_brings_no_second_link(messaging: MessagingHarness) -> None:
    """LS-20: the provider's id is the text's own."""
    chain_id = await pro_chain(messaging)
    for _ in range(3):
        assert await messaging.text("JOIGNEZ", number=OWN, message_id="SM1") is Keyword.JOIN
        await messaging.drain()
    assert len(messaging.twilio.taken) == 1
    await messaging.text("JOIGNEZ", number=OWN, message_id="SM2")
    assert len(await messaging.entries(chain_id)) == 2


@pytest.mark.parametrize("words", ["JOIGNEZ-NOUS", "bonjour", "JOINS", "je joignez", ""])
async def test_an_unknown_keyword_brings_no_link(messaging: MessagingHarness, words: str) -> None:
    """LS-20."""
    chain_id = await pro_chain(messaging)
    assert await messaging.text(words, number=OWN) is Keyword.NONE
    await messaging.drain()
    assert [one.kind.value for one in await messaging.entries(chain_id)] == ["KEYWORD_ANSWER"]
    assert "http" not in messaging.twilio.taken[0]["body"]


async def test_a_keyword_of_before_still_brings_the_link(messaging: MessagingHarness) -> None:
    """LS-20: posters hang on when the owner chooses another word, or is given another number."""
    chain_id = await pro_chain(messaging, keyword="BONJOUR")
    await numbers.set_keyword(messaging.deps, chain_id, "FIDÈLE", actor=BY_OPERATOR)
    for number in (OWN, OTHER):
        await numbers.provision_number(
            messaging.deps,
            ProvisionNumber(chain_id=chain_id, number=number, keyword="", actor=BY_OPERATOR),
        )
    for words in ("bonjour", "fidele", "JOIGNEZ", "join"):
        assert await messaging.text(words, number=OTHER) is Keyword.JOIN
    for count in range(FORMER_KEYWORDS_MAX):
        await numbers.set_keyword(messaging.deps, chain_id, f"MOT{count}", actor=BY_OPERATOR)
    assert await messaging.text("bonjour", number=OTHER) is Keyword.NONE
    assert await messaging.text("joignez", number=OTHER) is Keyword.JOIN


async def test_the_keyword_says_nothing_on_another_number(messaging: MessagingHarness) -> None:
    """LS-20: only the number of the chain whose keyword it is."""
    first = await pro_chain(messaging, keyword="BONJOUR")
    second = await pro_chain(messaging, number=OTHER)
    for number in (SHARED_NUMBER, OWN):
        assert await messaging.text("JOIGNEZ", number=number) is Keyword.NONE
    assert await messaging.text("bonjour", number=OWN) is Keyword.JOIN
    links = [one for one in await messaging.entries(first) if one.kind.value == "TEXT_TO_JOIN"]
    assert len(links) == 1
    assert await messaging.entries(second) == []


@pytest.mark.parametrize("plan", [Plan.PARTANT, Plan.ESSENTIEL])
async def test_a_chain_that_left_pro_gives_no_link(messaging: MessagingHarness, plan: Plan) -> None:
    """LS-18, P2: at once, and the link is back with the plan."""
    chain_id = await pro_chain(messaging)
    await leave_pro(messaging, chain_id, plan)
    await messaging.text("JOIGNEZ", number=OWN)
    assert [one.kind.value for one in await messaging.entries(chain_id)] == ["KEYWORD_ANSWER"]
    await messaging.tell_chain(chain_id, sandbox=False, plan=Plan.PRO, version=3)
    await messaging.text("JOIGNEZ", number=OWN)
    newest = (await messaging.entries(chain_id))[0]
    assert newest.kind.value == "TEXT_TO_JOIN"


async def test_the_keyword_is_answered_in_the_sandbox(messaging: MessagingHarness) -> None:
    """LS-20: a sandbox text names its chain; the answer lies in its mailbox."""
    chain_id = await pro_chain(messaging, sandbox=True)
    await messaging.text("joignez", chain_id=chain_id, number="")
    await messaging.drain()
    (message,) = await messaging.mailbox(chain_id)
    assert message.kind == "TEXT_TO_JOIN"
    assert "/join?s=sms&t=" in message.body


async def test_the_keyword_is_answered_even_after_a_stop(messaging: MessagingHarness) -> None:
    """LS-20, D18: the answer to what somebody has just texted is of the security class."""
    await pro_chain(messaging)
    await messaging.text("STOP", number=OWN)
    await messaging.text("JOIGNEZ", number=OWN)
    await messaging.drain()
    assert "/join?s=sms" in messaging.twilio.taken[-1]["body"]


# -- the other words on a number of one's own ------------------------------------------------


async def test_a_stop_to_a_chains_own_number_means_that_chain(messaging: MessagingHarness) -> None:
    """LS-79, D26: Alice stops chain A by its number; chain B still writes to her."""
    chain_a = await pro_chain(messaging)
    chain_b = await messaging.chain(sandbox=False)
    for chain_id in (chain_a, chain_b):
        await messaging.enroll(chain_id, grants=[Channel.SMS])
    await messaging.drain()
    assert sorted(one["from"] for one in messaging.twilio.taken) == [OWN, SHARED_NUMBER]
    assert await messaging.text("Arrêt", number=OWN) is Keyword.STOP
    assert [await messaging.granted(one) for one in (chain_a, chain_b)] == [False, True]
    assert await messaging.text("OUI", number=OWN) is Keyword.START
    assert await messaging.granted(chain_a) is True
    assert await messaging.text("AIDE", number=OWN) is Keyword.HELP
    await messaging.drain()
    assert [one["from"] for one in messaging.twilio.taken[2:]] == [OWN] * 3


async def test_stop_works_on_the_number_of_a_chain_that_left_pro(
    messaging: MessagingHarness,
) -> None:
    """LS-79, P2: the number may give no link any more, but it still listens."""
    chain_id = await pro_chain(messaging)
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    await leave_pro(messaging, chain_id, Plan.PARTANT)
    await messaging.text("STOP", number=OWN)
    assert await messaging.granted(chain_id) is False
    await messaging.drain()
    assert {one["from"] for one in messaging.twilio.taken} == {SHARED_NUMBER}


async def test_stop_to_a_released_number_means_those_who_wrote_from_it(
    messaging: MessagingHarness,
) -> None:
    """LS-79: no STOP gets lost with a number."""
    chain_id = await pro_chain(messaging)
    await messaging.enroll(chain_id, grants=[Channel.SMS])
    await messaging.drain()
    await numbers.release_number(messaging.deps, chain_id, actor=BY_OPERATOR)
    await messaging.text("STOP", number=OWN)
    assert await messaging.granted(chain_id) is False


async def test_a_stop_from_a_stranger_to_the_shared_number_leaves_an_own_number_alone(
    messaging: MessagingHarness,
) -> None:
    """D26: whoever silenced the shared number has said nothing of a chain that she never met."""
    await messaging.text("STOP")
    chain_id = await pro_chain(messaging)
    await messaging.enroll(chain_id)
    await messaging.drain()
    assert await messaging.states(chain_id) == [("SENT", "")]


async def test_who_gave_a_number_and_what_was_done_with_it_is_kept(
    messaging: MessagingHarness, door: messaging_pb2_grpc.MessagingServiceStub
) -> None:
    """LS-19: newest first, also after the release; a release of nothing is no act."""
    chain_id = await messaging.chain(sandbox=False, plan=Plan.PRO)
    given, taken = (
        types_pb2.Actor(kind=types_pb2.Actor.KIND_OPERATOR, id=name) for name in ("op-1", "op-2")
    )
    owner = types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id=str(uuid4()))
    await door.ProvisionNumber(
        pb.ProvisionNumberRequest(chain_id=str(chain_id), number=OWN, actor=given)
    )
    await door.SetKeyword(
        pb.SetKeywordRequest(chain_id=str(chain_id), keyword="ÉCLAT", actor=owner)
    )
    for _ in range(2):
        await door.ReleaseNumber(pb.ReleaseNumberRequest(chain_id=str(chain_id), actor=taken))
    answer = await door.GetTextToJoin(pb.GetTextToJoinRequest(chain_id=str(chain_id)))

    assert not answer.text_to_join.number
    assert [(one.act, one.number, one.keyword, one.actor) for one in answer.acts] == [
        ("RELEASED", OWN, "ÉCLAT", taken),
        ("KEYWORD", OWN, "ÉCLAT", owner),
        ("GIVEN", OWN, "JOIGNEZ", given),
    ]
    charlies = await messaging.chain(plan=Plan.PRO)
    other = await door.GetTextToJoin(pb.GetTextToJoinRequest(chain_id=str(charlies)))
    assert list(other.acts) == []


async def test_the_history_of_a_number_cannot_be_rewritten(messaging: MessagingHarness) -> None:
    await pro_chain(messaging)
    for statement in ("DELETE FROM chain_number_act", "UPDATE chain_number_act SET actor_id = ''"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await messaging.pool.execute(statement)
