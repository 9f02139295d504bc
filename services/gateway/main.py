"""The gateway's process."""

from __future__ import annotations

from services.chassis import ops, runner
from services.gateway import serving
from services.gateway.app import create_app, open_deps
from services.gateway.settings import Settings


async def build(app: runner.App[Settings]) -> None:
    """Connect the peers and answer HTTP."""
    deps = open_deps(app.settings, app.redis, app.clock)
    door = serving.Door(create_app(deps), deps)
    app.check(ops.Check(name="http", ask=door.is_open))
    app.background("live news", deps.live.run)
    app.background("api limits", deps.limits.run)
    app.background("front door", door.run)


if __name__ == "__main__":
    runner.run(Settings, build)
