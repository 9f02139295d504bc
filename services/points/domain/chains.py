"""Chains as points knows them, from what enrollment tells."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """What holds for a whole chain. While its news has not arrived, the defaults do."""

    # Of offers, promotions and whatever happens without a salon (D38).
    home_time_zone: str = "UTC"
    # None: not known here; then every currency is taken for the chain's.
    currency: str | None = None
    sandbox: bool = False

    @property
    def home_zone(self) -> ZoneInfo:
        """The home zone as a calendar."""
        return ZoneInfo(self.home_time_zone)


UNHEARD = ChainSettings()
