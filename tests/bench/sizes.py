"""How much of everything is measured, and which parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

# What `ONLY` may name, in the order in which the parts run.
# Messaging is left behind by earns at full speed: the send comes before them.
FANOUT, ROUNDS, LINEARITY = "fanout", "rounds", "linearity"
SOAK, ENDING = "soak", "ending"
PARTS: Final = (FANOUT, ROUNDS, LINEARITY, SOAK, ENDING)


class SizeUnknown(Exception):
    """`ONLY` names a part that there is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything."""

    accounts: int
    few_accounts: int
    rounds: int
    # No further round begins that would not be over so long after the beginning.
    rounds_until_seconds: float
    # Of a stack with many accounts and one with few.
    turns: int
    seconds: float
    # Of what wants one connection only, or little load.
    short_seconds: float
    warm_up_seconds: float
    idle_earns: int
    soak_seconds: float
    # What of a soak's beginning is compared with as much of its end.
    soak_window_seconds: float
    # Accounts that end beside earns: enough that the earns are not alone too soon.
    beside_accounts: int
    members: int
    few_members: int
    hand_over_seconds: float
    parts: tuple[str, ...] = PARTS

    def only(self, *parts: str) -> Self:
        """Just some parts, at leisure; a soak by itself lasts as long as it should."""
        if unknown := set(parts) - set(PARTS):
            raise SizeUnknown(f"ONLY={','.join(sorted(unknown))}: there are {', '.join(PARTS)}")
        soak = SOAK_ALONE_SECONDS if parts == (SOAK,) and self.accounts >= FULL.accounts else None
        return replace(
            self,
            parts=parts,
            soak_seconds=soak or self.soak_seconds,
            rounds_until_seconds=DAY_SECONDS,
        )


QUICK: Final = Size(
    accounts=20_000,
    few_accounts=2_000,
    rounds=2,
    rounds_until_seconds=170,
    turns=2,
    seconds=2,
    short_seconds=1,
    warm_up_seconds=1,
    idle_earns=200,
    soak_seconds=9,
    soak_window_seconds=3,
    beside_accounts=60_000,
    members=4_000,
    few_members=1_000,
    hand_over_seconds=5,
)
FULL: Final = Size(
    accounts=1_000_000,
    few_accounts=10_000,
    rounds=5,
    rounds_until_seconds=860,
    turns=4,
    seconds=8,
    short_seconds=5,
    warm_up_seconds=2,
    idle_earns=2_000,
    soak_seconds=120,
    soak_window_seconds=60,
    beside_accounts=300_000,
    members=100_000,
    few_members=10_000,
    hand_over_seconds=30,
)
SOAK_ALONE_SECONDS: Final = 600.0
DAY_SECONDS: Final = 86_400.0


def of(environment: Mapping[str, str] = os.environ) -> Size:
    """What `QUICK` and `ONLY` ask for. Raises SizeUnknown."""
    size = QUICK if environment.get("QUICK", "0") not in ("", "0") else FULL
    wanted = environment.get("ONLY", "")
    return size.only(*wanted.split(",")) if wanted else size
