"""What the environment must say before messaging starts."""

from __future__ import annotations

import pytest

from services.chassis.settings import SettingsWrong, read
from services.messaging.settings import SANDBOX_NUMBER, Settings

NEEDED = {
    "DATABASE_URL": "postgresql://x",
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "GRPC_PORT": "1",
    "OPS_PORT": "2",
}


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in {**NEEDED, **environment}.items():
        monkeypatch.setenv(name, value)
    return read(Settings)


def test_a_sandbox_needs_no_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(monkeypatch)
    assert (found.sms_provider, found.email_provider) == ("none", "none")
    assert found.sms_sender_number == SANDBOX_NUMBER


def test_a_provider_that_is_complete_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = settings(
        monkeypatch,
        SMS_PROVIDER="twilio",
        TWILIO_ACCOUNT_SID="AC1",
        TWILIO_AUTH_TOKEN="t0ken-of-twilio",
        SMS_SENDER_NUMBER="+15145551000",
        EMAIL_PROVIDER="smtp",
        SMTP_HOST="mail.example",
        EMAIL_SENDER="no-reply@example.com",
    )
    assert found.smtp_start_tls == "required"
    assert "t0ken-of-twilio" not in repr(found)


@pytest.mark.parametrize(
    ("environment", "variables"),
    [
        (
            {"SMS_PROVIDER": "twilio"},
            {"TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "SMS_SENDER_NUMBER"},
        ),
        ({"EMAIL_PROVIDER": "smtp"}, {"SMTP_HOST", "EMAIL_SENDER"}),
        ({"SMS_PROVIDER": "pigeon"}, {"SMS_PROVIDER"}),
        ({"SMS_SENDER_NUMBER": "514 555 0100"}, {"SMS_SENDER_NUMBER"}),
    ],
)
def test_a_provider_without_what_it_needs_stops_the_start_with_one_line_each(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], variables: set[str]
) -> None:
    with pytest.raises(SettingsWrong) as wrong:
        settings(monkeypatch, **environment)
    assert {line.partition(":")[0] for line in wrong.value.lines} == variables


@pytest.mark.parametrize(
    ("environment", "callback"),
    [
        ({}, ""),
        ({"PUBLIC_URL": "https://meche.example/"}, "https://meche.example/webhooks/twilio/status"),
        (
            {"PUBLIC_URL": "https://meche.example", "TWILIO_STATUS_CALLBACK": "https://x.example"},
            "https://x.example",
        ),
    ],
)
def test_twilio_tells_the_front_door_what_became_of_a_message(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], callback: str
) -> None:
    assert settings(monkeypatch, **environment).status_callback == callback
