"""What the environment tells the offers process; all of it is shared by every service."""

from __future__ import annotations

from typing import ClassVar

from services.chassis.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the offers service."""

    service_name: ClassVar[str] = "offers"
