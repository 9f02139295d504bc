"""E-mail stopped by its own link, without a session (RFC 8058)."""

from __future__ import annotations

import re

import pytest
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.chassis.signing import Signer
from services.messaging import rpc
from services.messaging.domain import errors
from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from services.messaging.usecases import unsubscribing
from services.messaging.usecases.deps import UNSUBSCRIBE_PURPOSE
from tests.messaging.conftest import EMAIL, MessagingHarness
from tests.messaging.ledger import Ledger
from tests.messaging.wire import serving

LINK = re.compile(r"https://fidelite\.example\.ca/u/([A-Za-z0-9_-]+)")


async def welcomed(messaging: MessagingHarness, *, sandbox: bool = True) -> ChainId:
    chain_id = await messaging.chain(sandbox=sandbox)
    await messaging.enroll(
        chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL, grants=[Channel.EMAIL]
    )
    await messaging.drain()
    return chain_id


async def token_of(messaging: MessagingHarness, chain_id: ChainId) -> str:
    found = LINK.search((await messaging.mailbox(chain_id))[0].body)
    assert found is not None
    return found[1]


async def test_a_link_stops_e_mail_at_once_and_says_so_in_her_language(
    messaging: MessagingHarness,
) -> None:
    """D18: service messages stop too; it is repeatable, and nobody's address is in the link."""
    chain_id = await welcomed(messaging)
    token = await token_of(messaging, chain_id)
    for _ in range(3):
        done = await unsubscribing.unsubscribe(messaging.deps, token)
    assert (done.chain_id, done.language.value) == (chain_id, "FR")
    assert await messaging.granted(chain_id, EMAIL) is False
    assert await messaging.acts(chain_id) == [
        ("EMAIL", True, "ENROLLMENT"),
        ("EMAIL", False, "EMAIL_LINK"),
    ]
    member = await messaging.pool.fetchval("SELECT member_id FROM contact")
    ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=member)
    await ledger.adjust(-1)
    await messaging.drain()
    assert (await messaging.states(chain_id))[-1] == ("BLOCKED", "stopped")


async def test_a_link_of_one_chain_stops_no_other(messaging: MessagingHarness) -> None:
    alices, charlies = await welcomed(messaging), await welcomed(messaging)
    await unsubscribing.unsubscribe(messaging.deps, await token_of(messaging, alices))
    assert await messaging.granted(charlies, EMAIL) is True


async def test_e_mail_carries_the_headers_and_codes_do_not(messaging: MessagingHarness) -> None:
    """RFC 8058: List-Unsubscribe with the link and List-Unsubscribe-Post; security has neither."""
    chain_id = await welcomed(messaging, sandbox=False)
    await messaging.request_code(chain_id, channel=Channel.EMAIL, address=EMAIL)
    await messaging.drain()
    welcome, code = messaging.smtp.taken
    found = LINK.fullmatch(str(welcome["List-Unsubscribe"]).strip("<>"))
    assert found is not None
    assert welcome["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"/u/{found[1]}" in welcome.get_content()
    assert EMAIL not in str(welcome["List-Unsubscribe"])
    assert code["List-Unsubscribe"] is None
    assert "/u/" not in code.get_content()
    await unsubscribing.unsubscribe(messaging.deps, found[1])
    assert await messaging.granted(chain_id, EMAIL) is False


async def test_a_link_that_is_not_ours_changes_nothing(messaging: MessagingHarness) -> None:
    chain_id = await welcomed(messaging)
    token = await token_of(messaging, chain_id)
    forged = Signer("another secret that is long enough", UNSUBSCRIBE_PURPOSE)
    strange = [
        "",
        "x",
        token[:-1],
        token + "A",
        token[::-1],
        "é" * 10,
        "A" * 5_000,
        forged.sign(b"0" * 32),
        messaging.deps.unsubscribe.sign(b"0" * 32),
        messaging.deps.unsubscribe.sign(b"short"),
    ]
    for each in strange:
        with pytest.raises(errors.TokenInvalid):
            await unsubscribing.unsubscribe(messaging.deps, each)
    assert await messaging.granted(chain_id, EMAIL) is True


async def test_unsubscribing_over_grpc(messaging: MessagingHarness) -> None:
    """RFC 8058."""
    chain_id = await welcomed(messaging)
    token = await token_of(messaging, chain_id)
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)
        done = await stub.Unsubscribe(pb.UnsubscribeRequest(token=token))
        assert (done.chain_id, done.language) == (str(chain_id), types_pb2.LANGUAGE_FR)
        with pytest.raises(RemoteRefusal) as refused:
            await stub.Unsubscribe(pb.UnsubscribeRequest(token="no"))
        assert refused.value.code == "token_invalid"
