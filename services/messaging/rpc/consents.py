"""What the addresses of a member agreed to, and her own tick."""

from __future__ import annotations

from loyalty.messaging.v1 import messaging_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.messaging.domain.consent import Channel, Standing
from services.messaging.rpc import reading, writing
from services.messaging.rpc.door import Door
from services.messaging.usecases import consent, unsubscribing


class ConsentsServicer(Door):
    """Consent: read by many, changed by the member alone."""

    async def GetConsents(
        self, request: pb.GetConsentsRequest, context: object
    ) -> pb.GetConsentsResponse:
        """`consent.get_consents`."""
        found = await consent.get_consents(
            self._deps, reading.chain_id(request.chain_id), reading.member_id(request.member_id)
        )
        return pb.GetConsentsResponse(
            consents=[_consent(one.channel, one.standing) for one in found]
        )

    async def SetEmailConsent(
        self, request: pb.SetEmailConsentRequest, context: object
    ) -> pb.SetEmailConsentResponse:
        """`consent.set_email_consent`."""
        actor = request.actor
        standing = await consent.set_email_consent(
            self._deps,
            consent.SetEmailConsent(
                chain_id=reading.chain_id(request.chain_id),
                member_id=reading.member_id(request.member_id),
                granted=request.granted,
                wording_version=request.wording_version.replace("\0", "")[:64],
                by_herself=(
                    actor.kind == types_pb2.Actor.KIND_MEMBER
                    and actor.id.lower() == request.member_id.lower()
                ),
            ),
        )
        return pb.SetEmailConsentResponse(consent=_consent(Channel.EMAIL, standing))

    async def Unsubscribe(
        self, request: pb.UnsubscribeRequest, context: object
    ) -> pb.UnsubscribeResponse:
        """`unsubscribing.unsubscribe`."""
        done = await unsubscribing.unsubscribe(self._deps, request.token)
        return pb.UnsubscribeResponse(
            chain_id=str(done.chain_id),
            language=writing.to_language(done.language),
        )


def _consent(channel: Channel, standing: Standing | None) -> pb.Consent:
    if standing is None:
        return pb.Consent(channel=writing.to_channel(channel), granted=False)
    return pb.Consent(
        channel=writing.to_channel(channel),
        granted=standing.granted,
        source=standing.source.value,
        changed_at=writing.timestamp(standing.changed_at),
    )
