"""What must hold after each part; a rate whose gate fails is void."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping

from deploy.local.layout import ROOT
from tests.bench.driving import Drives
from tests.bench.measures import Measure
from tests.bench.platform import Platform
from tests.e2e.chains import fresh_key, take

# Uses of one reward at the same time, of which one may succeed.
USES = 64

_COUNTS = """
SELECT (SELECT count(*) FROM public.posting) AS postings,
       (SELECT count(*) FROM public.posting WHERE kind = 'earn') AS earns,
       (SELECT count(*) FROM public.posting WHERE kind = 'reward') AS payments,
       (SELECT count(*) FROM public.outbox WHERE type LIKE 'points.%') AS events,
       (SELECT count(*) FROM public.idempotency WHERE operation = 'earn') AS keys
"""


async def broken(drives: Drives, measures: Mapping[str, Measure]) -> list[str]:
    """Each law that does not hold, in words, after what was driven so far."""
    uses = await _uses_of_one(drives)
    said = [*wrong_answers(measures), *await books(drives)]
    if uses["200"] != 1:
        said.append(f"{USES} uses of one reward at once were answered {dict(uses)}")
    return [*said, *await _ledger(drives.stack)]


async def books(drives: Drives) -> list[str]:
    """Where what stands in the books is not what was told to the callers."""
    counts = await drives.conn.fetchrow(_COUNTS)
    assert counts is not None
    said = []
    if not counts["earns"] == counts["keys"] == drives.accepted:
        said.append(
            f"{drives.accepted} earns were accepted, {counts['earns']} entries and "
            f"{counts['keys']} keys stand"
        )
    if counts["payments"] != drives.used:
        said.append(f"{drives.used} rewards were used, {counts['payments']} were paid for")
    if counts["postings"] != counts["events"]:
        said.append(f"{counts['postings']} postings have {counts['events']} events")
    return said


def wrong_answers(measures: Mapping[str, Measure]) -> list[str]:
    """What was answered otherwise than it should be."""
    return [
        f"{name} was answered {dict(found.answers)}"
        for name, found in measures.items()
        if set(found.answers) - {"200"}
    ]


async def _ledger(platform: Platform) -> list[str]:
    """What the ledger check finds."""
    checked = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "services.points.ledger_check"],
        env=platform.env("points"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if checked.returncode == 0:
        return []
    return [f"the ledger check says:\n{checked.stdout}{checked.stderr}"]


async def _uses_of_one(drives: Drives) -> Counter[str]:
    """One reward used by many at the same time, each with a key of its own (P10)."""
    world = drives.world
    async with world.chain.client() as client:
        taken = await take(client, world.members[0], world.definition_id)
        path = f"/v2/loyalty/rewards/{taken.json()['reward']['id']}/redeem"
        answers = await asyncio.gather(
            *(
                client.post(
                    path,
                    json={"idempotency_key": fresh_key(), "location_id": world.chain.salon_id},
                )
                for _ in range(USES)
            )
        )
    found = Counter(str(answer.status_code) for answer in answers)
    drives.used += min(found["200"], 1)
    return found
