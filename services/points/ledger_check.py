"""Proves the ledger of every chain: `python -m services.points.ledger_check`.

Reads `DATABASE_URL`, changes nothing, prints a short table, and ends with 1 when a law is broken,
naming the rows. The running service does the same now and then for `loyalty_ledger_imbalance`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Sequence

import asyncpg
import structlog

from services.chassis import postgres
from services.chassis.replay import KEPT_DAYS
from services.points import metrics
from services.points.storage import checks
from services.points.storage.checks import Finding, Size

log = structlog.get_logger(__name__)

# A large ledger takes its time; it holds no lock that anybody waits for.
STATEMENT_TIMEOUT = "30min"
# The first check of a running service waits until its start is over.
FIRST_PAUSE_SECONDS = 300


async def check(database_url: str) -> tuple[Size, Sequence[Finding]]:
    """Hold every law against the whole ledger, on a connection of its own."""
    conn = await postgres.connect(database_url, name="ledger check")
    try:
        await conn.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}'")
        await conn.execute(f"SET idle_in_transaction_session_timeout = '{STATEMENT_TIMEOUT}'")
        return await checks.examine(conn, outbox_kept_days=KEPT_DAYS)
    finally:
        await conn.close()


def faults(findings: Sequence[Finding]) -> int:
    """Rows at fault under all laws."""
    return sum(finding.count for finding in findings)


def table(size: Size, findings: Sequence[Finding]) -> str:
    """What a person reads: what was looked at, each law, and the rows that break it."""
    width = max(len(finding.law.words) for finding in findings)
    lines = [
        f"{size.chains:,} chains, {size.accounts:,} accounts, {size.postings:,} postings, "
        f"{size.lots:,} lots",
        "",
    ]
    for finding in findings:
        state = "ok" if finding.count == 0 else f"{finding.count:,} at fault"
        lines.append(f"  {finding.law.words:<{width}}  {state}")
        lines.extend(
            f"      chain {breach.chain_id}, {breach.row}: {breach.detail}"
            for breach in finding.named
        )
        if finding.count > len(finding.named):
            lines.append(f"      and {finding.count - len(finding.named):,} more")
    found = faults(findings)
    lines += ["", "The books balance." if found == 0 else f"{found:,} rows are at fault."]
    return "\n".join(lines)


async def watch(database_url: str, *, every_seconds: int) -> None:
    """Check again and again for as long as the process lives, and show it as a metric."""
    await asyncio.sleep(min(FIRST_PAUSE_SECONDS, every_seconds))
    while True:
        try:
            started = time.monotonic()
            _, findings = await check(database_url)
            metrics.LEDGER_CHECK_SECONDS.set(time.monotonic() - started)
            metrics.LEDGER_IMBALANCE.set(faults(findings))
            for finding in findings:
                for breach in finding.named:
                    log.error(
                        "ledger_law_broken",
                        law=finding.law.words,
                        chain_id=breach.chain_id,
                        row=breach.row,
                        detail=breach.detail,
                    )
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("ledger_check_failed", fault=type(error).__name__)
        await asyncio.sleep(every_seconds)


def main() -> int:
    """Check once, print, and say by the exit status whether the books balance."""
    url = os.environ.get("DATABASE_URL", "")
    if not url:
        sys.stderr.write("usage: DATABASE_URL=… python -m services.points.ledger_check\n")
        return 2
    try:
        size, findings = asyncio.run(check(url))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"the ledger cannot be read: {error}\n")
        return 2
    sys.stdout.write(f"{table(size, findings)}\n")
    return 0 if faults(findings) == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
