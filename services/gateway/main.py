"""The gateway's process."""

from __future__ import annotations

from services.chassis import runner
from services.gateway import serving
from services.gateway.app import create_app, open_deps
from services.gateway.settings import Settings


async def build(app: runner.App[Settings]) -> None:
    """Connect the peers and start answering HTTP."""
    deps = open_deps(app.settings, app.redis, app.clock)

    async def serve() -> None:
        try:
            await serving.serve(create_app(deps), app.settings, before_stop=deps.live.close)
        finally:
            await deps.clients.close()

    app.background("live", deps.live.run)
    app.background("limits", deps.limits.run)
    app.background("http", serve)


if __name__ == "__main__":
    runner.run(Settings, build)
