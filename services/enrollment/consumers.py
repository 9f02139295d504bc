"""Events of messaging that enrollment acts on. The only file that names their topic."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import DecodeError
from loyalty.events.v1 import messaging_events_pb2

from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler
from services.chassis.postgres import Connection
from services.enrollment.usecases import proofs
from services.enrollment.usecases.deps import Deps

MESSAGING = "loyalty.messaging.v1"
PROOFS_GROUP = "enrollment.proofs"


def proof_handlers(deps: Deps) -> Mapping[str, Handler]:
    """What happens when a text has come from a member's phone."""

    async def contact_proven(conn: Connection, event: Event) -> None:
        fact = messaging_events_pb2.ContactProven()
        try:
            fact.ParseFromString(event.payload)
        except DecodeError:
            raise Impossible("the payload is not a ContactProven") from None
        proof = deps.keys.proofs.read(fact.proof)
        if proof is None or proof.chain_id != event.chain_id:
            raise Impossible("the proof is not of this chain")
        # One that is about an address of before has no effect.
        await proofs.verify_by(deps, conn, proof)

    return {"contact.proven": contact_proven}
