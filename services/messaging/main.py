"""The messaging process: settings, database, broker, clock and providers, then its roles."""

from __future__ import annotations

import asyncio

from services.chassis import runner
from services.chassis.runner import App
from services.messaging import assembly, consumers, jobs, rpc
from services.messaging.settings import Settings
from services.messaging.storage import retention


async def build(app: App[Settings]) -> None:
    """Put the roles of the process together."""
    deps = assembly.deps(app)
    woken = asyncio.Event()
    app.serve_grpc(rpc.register(deps), refusals=rpc.STATUS)
    app.consume(
        group=consumers.CHAINS_GROUP,
        topics=[consumers.ENROLLMENT],
        handlers=consumers.chain_handlers(deps),
    )
    app.consume(
        group=consumers.CONTACTS_GROUP,
        topics=[consumers.CONTACTS],
        handlers=consumers.contact_handlers(deps),
    )
    app.consume(
        group=consumers.STANDINGS_GROUP,
        topics=[consumers.POINTS],
        handlers=consumers.standings(deps),
    )
    app.consume(
        group=consumers.OFFERS_GROUP,
        topics=[consumers.OFFERS],
        handlers=consumers.offer_handlers(),
    )
    app.consume(
        group=consumers.REWARDS_GROUP,
        topics=[consumers.REWARDS],
        handlers=consumers.reward_handlers(),
    )
    app.background("sender", lambda: jobs.send_deliveries(deps, woken))
    app.background("listener", lambda: jobs.listen(deps, woken))
    app.background("timely", lambda: jobs.keep_time(deps))
    app.business_due(jobs.due_source(deps))
    app.forget(retention.RULES)
    app.relay_outbox()


if __name__ == "__main__":
    runner.run(Settings, build)
