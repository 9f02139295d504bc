"""Proofs that come with messages: a text from her phone, a link in an e-mail to her (D18)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.chassis import outbox
from services.chassis.postgres import Connection, in_transaction
from services.chassis.proofs import Proof
from services.enrollment import addresses, events
from services.enrollment.domain.errors import ProofInvalid
from services.enrollment.domain.ids import ChainId, MemberId
from services.enrollment.domain.members import Channel, Member, verified_member
from services.enrollment.domain.search import keys_of
from services.enrollment.storage import members as storage
from services.enrollment.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """Whose address it is now known to be."""

    member: Member


async def confirm_address(deps: Deps, text: str) -> Confirmed:
    """Verify the address that a message was written to. Repeatable. Locks the member.

    It opens no session: a mail scanner that pressed the button has nothing of hers in hand.

    Refuses with ProofInvalid: not ours, or about an address that is hers no more.
    """
    proof = deps.keys.proofs.read(text)
    if proof is None:
        raise ProofInvalid(field="proof")

    async def work(conn: Connection) -> Confirmed:
        member = await verify_by(deps, conn, proof)
        if member is None:
            raise ProofInvalid(field="proof")
        return Confirmed(member=member)

    return await in_transaction(deps.pool, work)


async def verify_by(deps: Deps, conn: Connection, proof: Proof) -> Member | None:
    """The member with the proven address verified; None where it is not, or no more, hers.

    Tells messaging once. Runs in the caller's transaction; locks the member.
    """
    chain_id = ChainId(proof.chain_id)
    before = await storage.lock_member(conn, chain_id=chain_id, member_id=MemberId(proof.member_id))
    if before is None:
        return None
    member = before
    now = deps.clock.now(chain_id)
    proven = [
        channel
        for channel, address in ((Channel.SMS, before.phone), (Channel.EMAIL, before.email))
        if deps.keys.proofs.is_of(proof, address)
    ]
    if not proven:
        return None
    for channel in proven:
        member = verified_member(member, channel=channel, now=now)
    if member != before:
        member = replace(member, version=before.version + 1)
        await storage.save_member(
            conn, member, keys_of(member), email_key=addresses.email_key(member.email)
        )
        await outbox.append(conn, [events.contact_changed(member, now=now)])
    return member
