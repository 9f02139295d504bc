"""Timed work of points: what ends and is warned of, yearly checks, the proof of the books."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from services.chassis.clock_service import DueSource
from services.chassis.runner import App
from services.points import ledger_check
from services.points.domain.ids import ChainId
from services.points.settings import Settings
from services.points.usecases import sweeps, warnings
from services.points.usecases.deps import Deps
from services.points.usecases.sweeps import Busy


def schedule(app: App[Settings], deps: Deps, *, busy: Busy) -> None:
    """Sweep and check in the background, and let walks through time know of what falls due."""
    settings = app.settings
    app.background(
        "sweeps", lambda: sweeps.keep(deps, every_seconds=settings.sweep_seconds, busy=busy)
    )
    app.background("warnings", lambda: warnings.keep(deps, every_seconds=settings.sweep_seconds))
    app.business_due(due_source(deps))
    if settings.ledger_check_seconds:
        app.background(
            "ledger check",
            lambda: ledger_check.watch(
                settings.database_url, every_seconds=settings.ledger_check_seconds
            ),
        )


def due_source(deps: Deps) -> DueSource:
    """Expiry, its warnings, and yearly checks of a chain by its business time."""

    async def next_due(chain_id: UUID) -> datetime | None:
        moments = [
            await sweeps.next_due(deps, ChainId(chain_id)),
            await warnings.next_due(deps, ChainId(chain_id)),
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    async def run_due(chain_id: UUID) -> int:
        ended = await sweeps.run_due(deps, ChainId(chain_id))
        return ended + await warnings.look(deps, ChainId(chain_id))

    return DueSource(next_due=next_due, run_due=run_due)
