""" "Envoyer le statut": the balance of now to one member (SQ-32)."""

from __future__ import annotations

from uuid import uuid4

import pytest
from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.messaging.v1 import messaging_pb2_grpc

from services.chassis.errors import KeyReused, RemoteRefusal
from services.messaging import rpc
from services.messaging.domain import errors
from services.messaging.domain.chain import ChainId, MemberId, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import STATUS_WAIT, DeliveryState
from services.messaging.usecases import numbers, status
from services.messaging.usecases.numbers import ProvisionNumber
from tests.messaging.conftest import EMAIL, OPERATOR, MessagingHarness
from tests.messaging.ledger import Ledger
from tests.messaging.wire import serving


async def alice(messaging: MessagingHarness, points: int = 57) -> Ledger:
    chain_id = await messaging.chain()
    contact = await messaging.enroll(chain_id)
    ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=contact.member_id)
    await ledger.program()
    await ledger.adjust(points)
    await messaging.drain()
    return ledger


async def bodies(ledger: Ledger) -> list[str]:
    ledger.messaging.clock.advance(STATUS_WAIT)
    await ledger.messaging.drain()
    sent = await ledger.messaging.mailbox(ChainId(ledger.chain_id))
    return [one.body for one in reversed(sent) if one.kind.value == "STATUS"]


async def test_the_status_says_the_balance_of_when_it_leaves(messaging: MessagingHarness) -> None:
    """SQ-32: balance 57 → the message contains 57; a change that is still arriving counts."""
    ledger = await alice(messaging, points=50)
    chain_id = ChainId(ledger.chain_id)
    key = str(uuid4())
    entry = await status.send_status(
        messaging.deps, chain_id, ledger.member_id, idempotency_key=key
    )
    await ledger.adjust(7)
    (body,) = await bodies(ledger)
    assert "57 points" in body
    again = await status.send_status(
        messaging.deps, chain_id, ledger.member_id, idempotency_key=key
    )
    assert again.id == entry.id
    assert len(await bodies(ledger)) == 1


async def test_a_status_is_refused_while_a_stop_is_in_force(messaging: MessagingHarness) -> None:
    """SQ-32, D18: refused with the reason, over gRPC; possible again after YES."""
    ledger = await alice(messaging)
    chain_id = ChainId(ledger.chain_id)
    await messaging.text("STOP", chain_id=chain_id)
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        stub = messaging_pb2_grpc.MessagingServiceStub(channel)

        def ask() -> pb.SendStatusRequest:
            return pb.SendStatusRequest(
                idempotency_key=str(uuid4()),
                chain_id=str(chain_id),
                member_id=str(ledger.member_id),
            )

        with pytest.raises(RemoteRefusal) as refused:
            await stub.SendStatus(ask())
        assert refused.value.code == "message_stopped"
        assert refused.value.params == {"channel": "SMS"}
        assert await bodies(ledger) == []
        await messaging.text("OUI", chain_id=chain_id)
        sent = await stub.SendStatus(ask())
        assert sent.delivery.kind == pb.MESSAGE_KIND_STATUS
        with pytest.raises(RemoteRefusal) as refused:
            await stub.SendStatus(pb.SendStatusRequest(chain_id=str(chain_id), member_id="x"))
        assert refused.value.code == "id_invalid"
    assert len(await bodies(ledger)) == 1


async def test_a_stop_to_the_shared_number_says_nothing_of_a_number_of_ones_own(
    messaging: MessagingHarness,
) -> None:
    """D26, SQ-32: staff are refused what would not leave, and nothing else."""
    chain_id = await messaging.chain(sandbox=False, plan=Plan.PRO)
    await messaging.text("STOP")
    contact = await messaging.enroll(chain_id)
    with pytest.raises(errors.MessageStopped):
        await status.send_status(messaging.deps, chain_id, contact.member_id, idempotency_key="k")
    await numbers.provision_number(
        messaging.deps,
        ProvisionNumber(
            chain_id=chain_id,
            number="+15145550177",
            keyword="",
            actor=OPERATOR,
        ),
    )
    entry = await status.send_status(
        messaging.deps, chain_id, contact.member_id, idempotency_key="k"
    )
    assert entry.state is DeliveryState.QUEUED


async def test_a_stop_after_the_button_blocks_the_status(messaging: MessagingHarness) -> None:
    """D18: consent is asked at the moment of sending, too."""
    ledger = await alice(messaging)
    chain_id = ChainId(ledger.chain_id)
    await status.send_status(messaging.deps, chain_id, ledger.member_id, idempotency_key="k")
    await messaging.text("STOP", chain_id=chain_id)
    assert await bodies(ledger) == []
    assert ("BLOCKED", "stopped") in await messaging.states(chain_id)


async def test_a_status_goes_by_the_channel_of_joining_with_all_programs(
    messaging: MessagingHarness,
) -> None:
    """SQ-32, D18; LS-74: several programs, several balances."""
    chain_id = await messaging.chain()
    contact = await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
    for name, balance in (("point", 57), ("étoile", 1)):
        ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=contact.member_id)
        await ledger.program(term_one=name, term_other=f"{name}s")
        await ledger.adjust(balance)
    await status.send_status(messaging.deps, chain_id, contact.member_id, idempotency_key="k")
    (body,) = await bodies(ledger)
    assert "57 points, 1 étoile" in body


async def test_unknown_members_and_reused_keys_are_refused(messaging: MessagingHarness) -> None:
    ledger = await alice(messaging)
    chain_id = ChainId(ledger.chain_id)
    nobody = MemberId(uuid4())
    with pytest.raises(errors.MemberUnknown):
        await status.send_status(messaging.deps, chain_id, nobody, idempotency_key="k")
    charlies = await messaging.chain()
    with pytest.raises(errors.MemberUnknown):
        await status.send_status(messaging.deps, charlies, ledger.member_id, idempotency_key="k")
    await status.send_status(messaging.deps, chain_id, ledger.member_id, idempotency_key="k")
    with pytest.raises(KeyReused):
        await status.send_status(messaging.deps, chain_id, nobody, idempotency_key="k")
    silent = await messaging.enroll(chain_id, phone="", registered_by=None)
    with pytest.raises(errors.ContactMissing):
        await status.send_status(messaging.deps, chain_id, silent.member_id, idempotency_key="s")
