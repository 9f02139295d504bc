"""What operators and orchestrators ask a process: is it alive, is it ready, what does it count."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from services.chassis.metrics import REGISTRY

log = structlog.get_logger(__name__)

CHECK_TIMEOUT_SECONDS = 2.0
# Probes of several orchestrators at once cost one round of checks.
REMEMBER_SECONDS = 1.0

# A check that fails: `required` takes the process out of service, `startup` does so until it has
# succeeded once, `degraded` is only shown.
Weight = Literal["required", "startup", "degraded"]


class NotReady(Exception):
    """Why a check fails, in words that may be shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that the process depends on; `ask` raises when it is not there."""

    name: str
    ask: Callable[[], Awaitable[str | None]]
    weight: Weight = "required"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Whether the process takes work, and what each check said."""

    ready: bool
    status: Literal["ready", "degraded", "not ready", "stopping"]
    checks: Mapping[str, str]


class Readiness:
    """The checks of a process and what they said last."""

    def __init__(self) -> None:
        self.checks: list[Check] = []
        self.stopping = False
        self._succeeded: set[str] = set()
        self._last: tuple[float, Report] | None = None
        self._asking = asyncio.Lock()

    async def report(self) -> Report:
        """Ask every check, or repeat what they said a moment ago."""
        async with self._asking:
            if self.stopping:
                return Report(ready=False, status="stopping", checks={})
            if self._last is not None and time.monotonic() - self._last[0] < REMEMBER_SECONDS:
                return self._last[1]
            answers = await asyncio.gather(*(self._ask(check) for check in self.checks))
            report = self._judge(answers)
            self._last = (time.monotonic(), report)
            return report

    def _judge(self, answers: Sequence[tuple[Check, bool, str]]) -> Report:
        failed = [check for check, good, _ in answers if not good]
        blocking = [
            check
            for check in failed
            if check.weight == "required"
            or (check.weight == "startup" and check.name not in self._succeeded)
        ]
        status: Literal["ready", "degraded", "not ready"] = "ready"
        if failed:
            status = "not ready" if blocking else "degraded"
        return Report(
            ready=not blocking,
            status=status,
            checks={check.name: words for check, _, words in answers},
        )

    async def _ask(self, check: Check) -> tuple[Check, bool, str]:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                note = await check.ask()
        except NotReady as error:
            return check, False, str(error)
        except Exception as error:
            # The class says enough; messages of libraries may hold addresses and passwords.
            return check, False, type(error).__name__
        self._succeeded.add(check.name)
        return check, True, note or "ok"


def application(
    *, service: str, version: str, readiness: Readiness, refresh: Callable[[], None]
) -> Starlette:
    """The operators' endpoints; `refresh` brings gauges up to date before they are shown."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        report = await readiness.report()
        body = {"service": service, "status": report.status, "checks": dict(report.checks)}
        return JSONResponse(body, status_code=200 if report.ready else 503)

    async def metrics(_request: Request) -> Response:
        refresh()
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    async def show_version(_request: Request) -> Response:
        return JSONResponse({"service": service, "version": version})

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/version", show_version),
        ]
    )
