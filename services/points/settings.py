"""What the environment tells the points process."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the points service."""

    service_name: ClassVar[str] = "points"

    ledger_check_seconds: int = Field(
        3600,
        ge=0,
        le=7 * 24 * 3600,
        description="seconds between two ledger checks of the running service; 0 = never",
    )
    sweep_seconds: int = Field(
        60,
        ge=1,
        le=24 * 3600,
        description="seconds between two sweeps for points that end and tiers of a year ago",
    )
