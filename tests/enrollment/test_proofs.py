"""An address is proven by a text from it or a link that was sent to it (D18)."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.events.v1 import messaging_events_pb2

from services.chassis.errors import RemoteRefusal
from services.chassis.events import Event, Impossible
from services.chassis.postgres import in_transaction
from services.enrollment import consumers
from tests.enrollment.house import House, new_email, new_phone


def proof_of(house: House, member: pb.Member, address: str) -> str:
    return house.deps.keys.proofs.make(
        chain_id=UUID(member.chain_id), member_id=UUID(member.id), address=address
    )


async def member(house: House, of: pb.Member) -> pb.Member:
    asked = pb.GetMemberRequest(chain_id=of.chain_id, member_id=of.id)
    return (await house.call.GetMember(asked)).member


async def tell(house: House, of: pb.Member, proof: str, *, chain_id: str = "") -> None:
    """What messaging tells when a text has come, as the inbox hands it over."""
    chain = UUID(chain_id or of.chain_id)
    fact = messaging_events_pb2.ContactProven(chain_id=str(chain), member_id=of.id, proof=proof)
    event = Event(
        id=uuid4(),
        type="contact.proven",
        source="messaging",
        subject=of.id,
        chain_id=chain,
        time=datetime.now(UTC),
        topic=consumers.MESSAGING,
        partition=0,
        offset=0,
        key=of.id,
        payload=fact.SerializeToString(),
        request_id="",
    )
    handler = consumers.proof_handlers(house.deps)[event.type]
    await in_transaction(house.pool, lambda conn: handler(conn, event))


async def test_a_text_from_her_phone_verifies_it_and_five_times_do_it_once(house: House) -> None:
    """D18: one change of the contact, whatever is delivered again."""
    chain = (await house.chain()).chain
    phone = new_phone()
    alice = (await house.enroll(chain.id, phone=phone)).member
    assert not alice.phone_verified
    for _ in range(5):
        await tell(house, alice, proof_of(house, alice, phone))
    found = await member(house, alice)
    assert found.phone_verified
    changes = await house.pool.fetchval(
        "SELECT count(*) FROM outbox WHERE type = 'contact.changed' AND key = $1", alice.id
    )
    assert changes == 2, "her enrolment and her proof"


async def test_a_proof_of_a_phone_of_before_verifies_nothing(house: House) -> None:
    """D18: the number was changed while the text was on its way."""
    chain = (await house.chain()).chain
    alice = (await house.enroll(chain.id, phone=new_phone())).member
    late = proof_of(house, alice, alice.phone)
    await house.call.UpdateMember(
        pb.UpdateMemberRequest(chain_id=chain.id, member_id=alice.id, phone=new_phone())
    )
    await tell(house, alice, late)
    assert not (await member(house, alice)).phone_verified


async def test_a_proof_of_another_chain_is_impossible(house: House) -> None:
    """Charlie's chain cannot speak for Alice."""
    alice = (await house.enroll((await house.chain()).chain.id, phone=new_phone())).member
    other = (await house.chain()).chain
    with pytest.raises(Impossible):
        await tell(house, alice, proof_of(house, alice, alice.phone), chain_id=other.id)
    assert not (await member(house, alice)).phone_verified


async def test_the_link_in_a_welcome_confirms_the_address_and_opens_no_session(
    house: House,
) -> None:
    """D18: repeatable; a link that is not ours is refused."""
    chain = (await house.chain()).chain
    alice = (await house.enroll(chain.id, email=new_email())).member
    proof = proof_of(house, alice, alice.email)
    for _ in range(2):
        answer = await house.call.ConfirmAddress(pb.ConfirmAddressRequest(proof=proof))
        assert answer.chain_id == chain.id
    found = await member(house, alice)
    assert (found.email_verified, found.phone_verified) == (True, False)
    sessions = await house.pool.fetchval(
        "SELECT count(*) FROM member_session WHERE member_id = $1", UUID(alice.id)
    )
    assert sessions == 0
    for wrong in ("", "x", proof[:-2], proof_of(house, alice, new_email())):
        with pytest.raises(RemoteRefusal) as refused:
            await house.call.ConfirmAddress(pb.ConfirmAddressRequest(proof=wrong))
        assert refused.value.code == "proof_invalid"


async def test_who_joins_by_a_texted_link_with_the_same_phone_is_verified(house: House) -> None:
    """LS-21, D18: the link came to that phone; another phone on the form is not proven by it."""
    chain = (await house.chain()).chain
    texted = new_phone()
    for phone, verified in ((new_phone(), False), (texted, True)):
        joined = await house.enroll(chain.id, phone=phone, proven_phone=texted, start_session=True)
        assert joined.member.phone_verified is verified
        # Her session needs no code either: the text was one.
        assert (await house.who(joined.session_token)).verified is verified


async def test_a_chain_says_where_it_gets_its_mail(house: House) -> None:
    """The first salon's address until the owner writes another; a sandbox always has one."""
    made = await house.chain(salon_address="12, rue des Lilas, Montréal")
    assert made.chain.postal_address == "12, rue des Lilas, Montréal"
    assert (await house.chain(sandbox=True)).chain.postal_address
    bare = (await house.chain()).chain
    assert bare.postal_address == ""
    answer = await house.call.UpdateChain(
        pb.UpdateChainRequest(
            chain_id=bare.id, postal_address="CP 5, Laval", contact_phone="514 555-0100"
        )
    )
    assert (answer.chain.postal_address, answer.chain.contact_phone) == (
        "CP 5, Laval",
        "514 555-0100",
    )
    told = (await house.events(bare.id))[-1].payload
    assert (told.postal_address, told.contact_phone) == ("CP 5, Laval", "514 555-0100")
    with pytest.raises(RemoteRefusal) as refused:
        await house.call.UpdateChain(
            pb.UpdateChainRequest(chain_id=bare.id, postal_address="x" * 201)
        )
    assert refused.value.field == "postal_address"
