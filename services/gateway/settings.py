"""What the gateway is told by its environment."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from services.chassis.settings import Engine, ServiceSettings

# An operator's key opens every chain: it must not be a word that somebody tries.
OPERATOR_KEY_LENGTH_MIN = 16


class Settings(ServiceSettings):
    """The gateway owns no database and reads no topic: it needs Redis and its five peers."""

    service_name: ClassVar[str] = "gateway"
    engines: ClassVar[frozenset[Engine]] = frozenset({"redis"})

    http_port: int = Field(..., ge=1, le=65535, description="port of pages and of the API")
    operator_key: SecretStr = Field(
        ..., description="bearer key of whoever hosts the platform, at least 16 characters"
    )
    enrollment_address: str = Field(..., description="host:port of enrollment's gRPC server")
    points_address: str = Field(..., description="host:port of points' gRPC server")
    rewards_address: str = Field(..., description="host:port of rewards' gRPC server")
    messaging_address: str = Field(..., description="host:port of messaging's gRPC server")
    offers_address: str = Field(..., description="host:port of offers' gRPC server")
    tls_cert_file: str = Field("", description="certificate for https; empty = plain http")
    tls_key_file: str = Field("", description="private key of the certificate")
    api_requests_per_second_max: int = Field(
        1000, ge=1, le=1_000_000, description="requests of one API key, averaged over 10 seconds"
    )
    trusted_proxies: str = Field(
        "", description="networks whose X-Forwarded-For is believed, by comma; empty = none"
    )

    contact_email: str = Field(
        "",
        pattern=r"^$|^[^@\s]+@[^@\s]+\.[^@\s]+$",
        description="where chains write about their plan and number; empty = no link on the panel",
    )
    twilio_auth_token: SecretStr = Field(
        SecretStr(""),
        description="by it Twilio signs its webhooks; empty = they are all refused",
    )

    @property
    def is_https(self) -> bool:
        """Whether visitors come by https, so that cookies may be marked Secure."""
        return self.public_url.startswith("https://")

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """Networks whose word about the visitor's address is believed."""
        parts = (part.strip() for part in self.trusted_proxies.split(","))
        return tuple(ip_network(part, strict=False) for part in parts if part)

    @model_validator(mode="after")
    def _is_a_door_that_closes(self) -> Self:
        """Refuse a short operator's key, half a certificate and unreadable networks."""
        faults = []
        if len(self.operator_key.get_secret_value()) < OPERATOR_KEY_LENGTH_MIN:
            faults.append(f"OPERATOR_KEY: needs at least {OPERATOR_KEY_LENGTH_MIN} characters")
        if bool(self.tls_cert_file) != bool(self.tls_key_file):
            faults.append("TLS_CERT_FILE and TLS_KEY_FILE: set both or none")
        try:
            _ = self.proxy_networks
        except ValueError:
            faults.append("TRUSTED_PROXIES: networks such as 10.0.0.0/8, by comma")
        if faults:
            raise ValueError("\n".join(faults))
        return self
