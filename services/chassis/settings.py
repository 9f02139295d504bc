"""What every service process is told by its environment; a service adds its own in a subclass."""

from __future__ import annotations

from typing import ClassVar, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# The key of a laptop that nobody attacks. Production refuses it, whoever set it.
LOCAL_SECRET_KEY = "local-only-secret-key-which-production-refuses"  # noqa: S105
# HKDF wants a root of at least 256 bits to give keys of 256 bits.
SECRET_KEY_LENGTH_MIN = 32

S = TypeVar("S", bound="ServiceSettings")
Engine = Literal["postgres", "kafka", "redis", "grpc"]


class ServiceSettings(BaseSettings):
    """Settings that all services share; a service adds its own in a subclass.

    Every field is read from the environment variable of the same name, once, at start.
    """

    model_config = SettingsConfigDict(extra="ignore", frozen=True, case_sensitive=False)

    service_name: ClassVar[str]
    engines: ClassVar[frozenset[Engine]] = frozenset({"postgres", "kafka", "redis", "grpc"})

    environment: Literal["local", "production"] = Field(
        "local", description="`production` refuses what only a laptop may use"
    )
    database_url: str = Field("", description="PostgreSQL address with the service's own role")
    migration_database_url: str | None = Field(
        None, description="PostgreSQL address with the role that owns the schema"
    )
    kafka_bootstrap: str = Field("", description="host:port of Kafka, several by comma")
    kafka_session_timeout_ms: int = Field(
        6_000,
        ge=1_000,
        le=60_000,
        description="how soon a vanished consumer is replaced; Apache Kafka wants 6000 or more",
    )
    redis_url: str = Field("", description="Redis address, redis://host:port/0")
    bind_host: str = Field("127.0.0.1", description="interface that the ports open on")
    grpc_port: int = Field(0, ge=0, le=65535, description="port of the service's gRPC server")
    ops_port: int = Field(
        ..., ge=1, le=65535, description="port of /healthz, /readyz, /metrics and /version"
    )
    secret_key: SecretStr = Field(
        SecretStr(LOCAL_SECRET_KEY),
        description=f"root of all derived keys, at least {SECRET_KEY_LENGTH_MIN} characters",
    )
    public_url: str = Field(
        "http://127.0.0.1:8080", description="address that links and QR codes start with"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="the least important line that is written"
    )
    version: str = Field("dev", description="what /version shows: a release or a commit")
    pool_size_max: int = Field(8, ge=1, le=200, description="PostgreSQL connections of the pool")
    drain_seconds: float = Field(
        20.0, gt=0, le=300, description="longest time between SIGTERM and the end of the process"
    )

    @model_validator(mode="after")
    def _is_complete_and_safe(self) -> Self:
        """Refuse a missing engine address, a short secret and the laptop's secret in production."""
        needed: dict[Engine, tuple[str, object]] = {
            "postgres": ("DATABASE_URL", self.database_url),
            "kafka": ("KAFKA_BOOTSTRAP", self.kafka_bootstrap),
            "redis": ("REDIS_URL", self.redis_url),
            "grpc": ("GRPC_PORT", self.grpc_port),
        }
        faults = [
            f"{variable}: missing; {type(self).model_fields[variable.lower()].description}"
            for engine, (variable, value) in needed.items()
            if engine in self.engines and not value
        ]
        secret = self.secret_key.get_secret_value()
        if len(secret) < SECRET_KEY_LENGTH_MIN:
            faults.append(f"SECRET_KEY: needs at least {SECRET_KEY_LENGTH_MIN} characters")
        if self.environment == "production" and secret == LOCAL_SECRET_KEY:
            faults.append("SECRET_KEY: production needs a secret of its own, not the local default")
        if faults:
            raise ValueError("\n".join(faults))
        return self


class SettingsWrong(Exception):
    """The environment does not describe a process that may start; one readable line per fault."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def read(settings_type: type[S]) -> S:
    """Read the process's settings from the environment.

    Raises `SettingsWrong` with one line per fault; a value that was given is never repeated in
    it, since it may be a secret.
    """
    try:
        return settings_type()
    except ValidationError as error:
        lines: list[str] = []
        for fault in error.errors(include_input=False, include_url=False):
            if not fault["loc"]:
                lines.extend(fault["msg"].removeprefix("Value error, ").splitlines())
                continue
            name = str(fault["loc"][0])
            field = settings_type.model_fields.get(name)
            meaning = f"; {field.description}" if field and field.description else ""
            lines.append(f"{name.upper()}: {fault['msg']}{meaning}")
        raise SettingsWrong(sorted(lines)) from None
