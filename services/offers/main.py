"""The offers process: settings, database, broker and clock, then its roles."""

from __future__ import annotations

from services.chassis import runner
from services.chassis.runner import App
from services.offers import consumers, rpc
from services.offers.settings import Settings
from services.offers.usecases.deps import Deps


async def build(app: App[Settings]) -> None:
    """Put the roles of the process together."""
    deps = Deps(pool=app.pool, clock=app.business)
    app.serve_grpc(rpc.register(deps), refusals=rpc.STATUS)
    app.consume(
        group=consumers.GROUP, topics=[consumers.ENROLLMENT], handlers=consumers.handlers(deps)
    )
    app.relay_outbox()


if __name__ == "__main__":
    runner.run(Settings, build)
