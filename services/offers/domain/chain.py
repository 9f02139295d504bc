"""What offers keeps of a chain: the zone in which its days count (D38)."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.offers.domain.offer import ChainId


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain as enrollment last told us of it."""

    chain_id: ChainId
    home_time_zone: str
    version: int

    @property
    def zone(self) -> ZoneInfo:
        """The home zone, as rules use it."""
        return ZoneInfo(self.home_time_zone)
