"""What the rewards process is told by its environment."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """The shared settings, and where the points service answers."""

    service_name: ClassVar[str] = "rewards"

    points_address: str = Field(..., min_length=1, description="host:port of the points service")
