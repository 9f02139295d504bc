"""Where a member stands on a program's ladder, as pages show it (SQ-05, D14)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

from babel.numbers import format_decimal
from loyalty.points.v1.points_pb2 import Account, TierStanding

from services.gateway.web import i18n


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """Her tier with its bonus, and how far the next one is."""

    name: str
    # "1,25"; empty where it adds nothing.
    multiplier: str
    # "25": percent more points.
    percent: str
    progress: int
    # Empty at the top.
    next_name: str
    # Base points at which the next tier begins.
    goal: int
    # The last day on which it is hers whatever she earns; empty for the lowest.
    kept_until: str

    @property
    def missing(self) -> int:
        """Base points until the next tier."""
        return max(0, self.goal - self.progress)

    @property
    def bar_value(self) -> int:
        """How much of the bar is full, between 0 and the goal."""
        return min(max(0, self.progress), self.goal)


def decimal_words(text: str, language: str) -> str:
    """A decimal as people write it: "1,25" or "1.25"."""
    return format_decimal(Decimal(text or "1"), locale=i18n.locale_of(language))


def rung_of(account: Account | None, *, language: str, zone: tzinfo) -> Rung | None:
    """Her place in words; none where the program has no tiers, or she no account yet."""
    if account is None or not account.HasField("tier"):
        return None
    standing = account.tier
    more = Decimal(standing.tier.multiplier or "1") - 1
    percent = format_decimal(more * 100, locale=i18n.locale_of(language))
    return Rung(
        name=standing.tier.name,
        multiplier=decimal_words(standing.tier.multiplier, language) if more else "",
        percent=percent if more else "",
        progress=standing.progress,
        next_name=standing.next.name if standing.HasField("next") else "",
        goal=standing.next.threshold if standing.HasField("next") else 0,
        kept_until=_last_day(standing, zone),
    )


def _last_day(standing: TierStanding, zone: tzinfo) -> str:
    if not standing.HasField("kept_until"):
        return ""
    end: datetime = standing.kept_until.ToDatetime(UTC) - timedelta(microseconds=1)
    return end.astimezone(zone).date().isoformat()
