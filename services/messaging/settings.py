"""What the environment tells the messaging process besides what all services share."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from services.chassis.settings import ServiceSettings

# A number for stories (555-01xx is never given out): what a sandbox shows as its own.
SANDBOX_NUMBER = "+15145550100"


class Settings(ServiceSettings):
    """Settings of the messaging service. Sandbox chains need none of them."""

    service_name: ClassVar[str] = "messaging"

    sms_provider: Literal["none", "twilio"] = Field(
        "none", description="who carries the SMS of live chains; none = they fail with no_provider"
    )
    email_provider: Literal["none", "smtp"] = Field(
        "none", description="who carries the e-mail of live chains; none = it fails"
    )
    sms_sender_number: str = Field(
        SANDBOX_NUMBER,
        pattern=r"^\+[1-9][0-9]{6,14}$",
        description="the platform's shared number, E.164",
    )
    twilio_account_sid: str = Field("", description="account that pays, AC…")
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="secret of that account")
    twilio_base_url: str = Field(
        "https://api.twilio.com", description="address of Twilio's API, another one in tests"
    )
    twilio_status_callback: str = Field(
        "",
        description="where Twilio tells what became of a message; empty = the gateway's door where "
        "PUBLIC_URL is https, else nowhere",
    )
    smtp_host: str = Field("", description="host that takes mail")
    smtp_port: int = Field(587, ge=1, le=65535, description="its port")
    smtp_username: str = Field("", description="empty = without signing in")
    smtp_password: SecretStr = Field(SecretStr(""), description="secret of that user")
    smtp_start_tls: Literal["auto", "required", "off"] = Field(
        "required", description="STARTTLS: required, auto (where offered), off (a mail catcher)"
    )
    smtp_implicit_tls: bool = Field(False, description="TLS from the first byte (port 465)")
    email_sender: str = Field(
        "no-reply@localhost.localdomain",
        pattern=r"^[^@\s<>]+@[^@\s<>]+$",
        description="address that e-mail comes from; the chain's name is shown beside it",
    )

    @property
    def status_callback(self) -> str:
        """Where Twilio tells what became of a message; empty = it stays sent."""
        if self.twilio_status_callback or not self.public_url.startswith("https://"):
            return self.twilio_status_callback
        return f"{self.public_url.rstrip('/')}/webhooks/twilio/status"

    @model_validator(mode="after")
    def _providers_are_complete(self) -> Self:
        """Refuse a provider without what it needs, rather than fail each message."""
        faults: list[str] = []
        if self.sms_provider == "twilio":
            if not self.twilio_account_sid:
                faults.append("TWILIO_ACCOUNT_SID: SMS_PROVIDER=twilio needs it")
            if not self.twilio_auth_token.get_secret_value():
                faults.append("TWILIO_AUTH_TOKEN: SMS_PROVIDER=twilio needs it")
            if self.sms_sender_number == SANDBOX_NUMBER:
                faults.append("SMS_SENDER_NUMBER: SMS_PROVIDER=twilio needs a number of its own")
        if self.email_provider == "smtp":
            if not self.smtp_host:
                faults.append("SMTP_HOST: EMAIL_PROVIDER=smtp needs it")
            if self.email_sender.endswith("@localhost.localdomain"):
                faults.append("EMAIL_SENDER: EMAIL_PROVIDER=smtp needs an address of its own")
        if faults:
            raise ValueError("\n".join(faults))
        return self
