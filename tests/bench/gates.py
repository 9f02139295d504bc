"""What must hold after each round; a rate whose gate fails is void."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Mapping

import asyncpg

from deploy.local.layout import ROOT
from tests.bench.measures import Measure
from tests.bench.platform import Platform

_COUNTS = """
SELECT (SELECT count(*) FROM public.posting) AS postings,
       (SELECT count(*) FROM public.posting WHERE kind = 'earn') AS earns,
       (SELECT count(*) FROM public.outbox WHERE type LIKE 'points.%') AS events,
       (SELECT count(*) FROM public.idempotency WHERE operation = 'earn') AS keys
"""


async def broken(
    platform: Platform,
    conn: asyncpg.Connection[asyncpg.Record],
    measures: Mapping[str, Measure],
    *,
    accepted: int,
) -> list[str]:
    """Each law that does not hold, in words; `accepted` earns were told to their callers."""
    counts = await conn.fetchrow(_COUNTS)
    assert counts is not None
    said = [
        f"{name} was answered {dict(found.statuses)}"
        for name, found in measures.items()
        if set(found.statuses) - {"200"}
    ]
    if not counts["earns"] == counts["keys"] == accepted:
        said.append(
            f"{accepted} earns were accepted, {counts['earns']} entries and "
            f"{counts['keys']} keys stand"
        )
    if counts["postings"] != counts["events"]:
        said.append(f"{counts['postings']} postings have {counts['events']} events")
    checked = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.points.ledger_check"],
        env=platform.env("points"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode != 0:
        said.append(f"the ledger check says:\n{checked.stdout}{checked.stderr}")
    return said
