"""Starts the enrollment service."""

from __future__ import annotations

from services.chassis import runner
from services.enrollment import consumers, jobs, rpc
from services.enrollment.settings import Settings
from services.enrollment.usecases.deps import make_deps


async def build(app: runner.App[Settings]) -> None:
    """Name the roles of the process."""
    deps = make_deps(
        pool=app.pool,
        redis=app.redis,
        clock=app.business,
        secret=app.settings.secret_key.get_secret_value(),
    )
    app.serve_grpc(rpc.register(deps), refusals=rpc.STATUS)
    app.consume(
        group=consumers.PROOFS_GROUP,
        topics=[consumers.MESSAGING],
        handlers=consumers.proof_handlers(deps),
    )
    app.relay_outbox()
    app.background("housekeeping", jobs.housekeeping(deps))
    app.on_stop(deps.passwords.close)


if __name__ == "__main__":
    runner.run(Settings, build)
