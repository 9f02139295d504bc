"""Starts the rewards service: takes calls, follows offers and chains, does timed work."""

from __future__ import annotations

from loyalty.points.v1.points_pb2_grpc import PointsServiceStub

from services.chassis import grpc_client, runner
from services.rewards import consumers, jobs, rpc
from services.rewards.clients import Points
from services.rewards.countdown import Countdowns
from services.rewards.settings import Settings
from services.rewards.usecases.deps import Deps


async def build(app: runner.App[Settings]) -> None:
    """Put the process together."""
    channel = grpc_client.channel(app.settings.points_address)
    deps = Deps(
        pool=app.pool,
        clock=app.business,
        points=Points(PointsServiceStub(channel)),
        countdowns=Countdowns(app.redis),
    )
    app.on_stop(lambda: channel.close(None))
    app.serve_grpc(rpc.register(deps), refusals=rpc.STATUS)
    for group, (topic, handlers) in consumers.GROUPS.items():
        app.consume(group=group, topics=[topic], handlers=handlers)
    app.run_jobs(jobs.handlers(deps))
    app.background("settle", jobs.settle(deps))
    app.relay_outbox()


if __name__ == "__main__":
    runner.run(Settings, build)
