"""Facts of messaging as events: payload, key and topic. The only file that names our topic.

No address and no words leave in them.
"""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.events.v1 import messaging_events_pb2
from loyalty.types.v1 import types_pb2

from services.chassis.outbox import OutboxEvent
from services.messaging.domain.chain import ChainId, MemberId
from services.messaging.domain.consent import Channel, ConsentRecord
from services.messaging.domain.delivery import Delivery, DeliveryEntry, DeliveryState

TOPIC = "loyalty.messaging.v1"

_TYPE = {
    DeliveryState.SENT: "delivery.sent",
    DeliveryState.DELIVERED: "delivery.delivered",
    DeliveryState.BLOCKED: "delivery.blocked",
}


def _channel(channel: Channel) -> types_pb2.Channel.ValueType:
    return types_pb2.Channel.Value(f"CHANNEL_{channel.value}")


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def consent_changed(record: ConsentRecord, *, record_id: int) -> OutboxEvent:
    """Someone agreed to a channel, or does so no more."""
    chain_id = record.address.chain_id
    member_id = str(record.member_id) if record.member_id else ""
    payload = messaging_events_pb2.ConsentChanged(
        chain_id=str(chain_id),
        member_id=member_id,
        channel=_channel(record.address.channel),
        granted=record.granted,
        source=record.source.value,
        occurred_at=_timestamp(record.occurred_at),
    )
    key = member_id or f"consent-{record_id}"
    return OutboxEvent(
        topic=TOPIC,
        key=key,
        type="consent.changed",
        chain_id=chain_id,
        subject=key,
        payload=payload.SerializeToString(deterministic=True),
        occurred_at=record.occurred_at,
    )


def contact_collected(
    chain_id: ChainId, member_id: MemberId, *, points: int, occurred_at: datetime
) -> OutboxEvent:
    """A member gave the e-mail address that she was asked for (SQ-09)."""
    payload = messaging_events_pb2.ContactCollected(
        chain_id=str(chain_id),
        member_id=str(member_id),
        points=points,
        occurred_at=_timestamp(occurred_at),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(member_id),
        type="contact.collected",
        chain_id=chain_id,
        subject=str(member_id),
        payload=payload.SerializeToString(deterministic=True),
        occurred_at=occurred_at,
    )


def contact_proven(
    chain_id: ChainId, member_id: MemberId, *, proof: str, occurred_at: datetime
) -> OutboxEvent:
    """A text came from a member's phone: enrollment verifies it (D18)."""
    payload = messaging_events_pb2.ContactProven(
        chain_id=str(chain_id),
        member_id=str(member_id),
        proof=proof,
        occurred_at=_timestamp(occurred_at),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(member_id),
        type="contact.proven",
        chain_id=chain_id,
        subject=str(member_id),
        payload=payload.SerializeToString(deterministic=True),
        occurred_at=occurred_at,
    )


def delivery_ended(
    delivery: Delivery | DeliveryEntry, *, state: DeliveryState, occurred_at: datetime
) -> OutboxEvent:
    """A delivery was sent, arrived, was blocked, or ended otherwise: delivery.failed, its state."""
    payload = messaging_events_pb2.DeliveryChanged(
        chain_id=str(delivery.chain_id),
        delivery_id=str(delivery.id),
        member_id=str(delivery.member_id) if delivery.member_id else "",
        channel=_channel(delivery.channel),
        kind=delivery.kind.value,
        status=state.value,
        occurred_at=_timestamp(occurred_at),
    )
    return OutboxEvent(
        topic=TOPIC,
        key=str(delivery.id),
        type=_TYPE.get(state, "delivery.failed"),
        chain_id=delivery.chain_id,
        subject=str(delivery.id),
        payload=payload.SerializeToString(deterministic=True),
        occurred_at=occurred_at,
    )
