"""The points process: settings, database, broker, Redis and clock, then its roles."""

from __future__ import annotations

from services.chassis import runner
from services.chassis.runner import App
from services.points import consumers, jobs, rpc
from services.points.settings import Settings
from services.points.usecases import deps as tools
from services.points.usecases.earn_queue import TRANSACTIONS_MAX, EarnQueue


async def build(app: App[Settings]) -> None:
    """Put the roles of the process together."""
    settings = app.settings
    deps = tools.assemble(
        pool=app.pool,
        clock=app.business,
        redis=app.redis,
        secret=settings.secret_key.get_secret_value(),
    )
    queue = EarnQueue(deps, pool=await app.once_planned_pool(size_max=TRANSACTIONS_MAX))
    app.serve_grpc(rpc.register(deps, queue), refusals=rpc.STATUS)
    app.consume(
        group=consumers.GROUP, topics=[consumers.ENROLLMENT], handlers=consumers.handlers(deps)
    )
    app.consume(
        group=consumers.CONTACTS_GROUP,
        topics=[consumers.MESSAGING],
        handlers=consumers.contact_handlers(deps),
    )
    jobs.schedule(app, deps, busy=queue.is_busy)
    app.relay_outbox()
    app.on_stop(queue.drain)


if __name__ == "__main__":
    runner.run(Settings, build)
