"""What the enrollment process is told by its environment: nothing beyond what all services are."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from services.chassis.settings import Engine, ServiceSettings


class Settings(ServiceSettings):
    """Settings of the enrollment service."""

    service_name: ClassVar[str] = "enrollment"


class OperatorSettings(ServiceSettings):
    """Settings of the operator's command line: it serves nothing and publishes nothing itself.

    What it writes to the outbox, the running service publishes.
    """

    service_name: ClassVar[str] = "enrollment"
    engines: ClassVar[frozenset[Engine]] = frozenset({"postgres", "redis"})

    ops_port: int = Field(0, ge=0, le=65535, description="not used by the command line")
