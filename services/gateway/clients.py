"""Typed gRPC stubs of the five services behind the gateway.

Refusals arrive as `chassis.errors.RemoteRefusal`, outages as `chassis.errors.Unavailable`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import grpc
from chassis.v1.business_clock_pb2_grpc import BusinessClockStub
from loyalty.enrollment.v1.enrollment_pb2_grpc import EnrollmentServiceStub
from loyalty.messaging.v1.messaging_pb2_grpc import MessagingServiceStub
from loyalty.offers.v1.offers_pb2_grpc import OffersServiceStub
from loyalty.points.v1.points_pb2_grpc import PointsServiceStub
from loyalty.rewards.v1.rewards_pb2_grpc import RewardsServiceStub

from services.chassis import grpc_client
from services.gateway.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Clients:
    """One channel per service, shared by everything in this process."""

    enrollment: EnrollmentServiceStub
    points: PointsServiceStub
    rewards: RewardsServiceStub
    offers: OffersServiceStub
    messaging: MessagingServiceStub
    # The business clock of each service, by the service's name.
    clocks: Mapping[str, BusinessClockStub]
    channels: tuple[grpc.aio.Channel, ...]

    @classmethod
    def connect(cls, settings: Settings) -> Self:
        """Open the channels; nothing is sent until the first call."""
        channels = {
            "enrollment": grpc_client.channel(settings.enrollment_address),
            "points": grpc_client.channel(settings.points_address),
            "rewards": grpc_client.channel(settings.rewards_address),
            "offers": grpc_client.channel(settings.offers_address),
            "messaging": grpc_client.channel(settings.messaging_address),
        }
        return cls(
            enrollment=EnrollmentServiceStub(channels["enrollment"]),
            points=PointsServiceStub(channels["points"]),
            rewards=RewardsServiceStub(channels["rewards"]),
            offers=OffersServiceStub(channels["offers"]),
            messaging=MessagingServiceStub(channels["messaging"]),
            clocks={name: BusinessClockStub(channel) for name, channel in channels.items()},
            channels=tuple(channels.values()),
        )

    async def close(self) -> None:
        """Close every channel; calls in flight end as unavailable."""
        await asyncio.gather(*(channel.close(None) for channel in self.channels))
