"""What the use cases of one process stand on, by its settings. No logic beyond the choice."""

from __future__ import annotations

from services.chassis.proofs import AddressProofs
from services.chassis.runner import App
from services.chassis.signing import Sealer, Signer
from services.messaging.domain.provider import Provider, Providers
from services.messaging.providers.mailbox import Mailbox
from services.messaging.providers.smtp import Smtp, SmtpServer
from services.messaging.providers.twilio import Twilio
from services.messaging.settings import Settings
from services.messaging.usecases.deps import (
    CODE_PURPOSE,
    UNSUBSCRIBE_PURPOSE,
    WORDS_PURPOSE,
    Deps,
    join_sealer,
)


def deps(app: App[Settings]) -> Deps:
    """Everything the use cases need."""
    settings = app.settings
    return Deps(
        pool=app.pool,
        clock=app.business,
        providers=Providers(mailbox=Mailbox(app.pool), sms=_sms(app), email=_email(settings)),
        sealer=Sealer(settings.secret_key.get_secret_value(), CODE_PURPOSE),
        words=Sealer(settings.secret_key.get_secret_value(), WORDS_PURPOSE),
        unsubscribe=Signer(settings.secret_key.get_secret_value(), UNSUBSCRIBE_PURPOSE),
        proofs=AddressProofs(settings.secret_key.get_secret_value()),
        join_sealer=join_sealer(settings.secret_key.get_secret_value()),
        public_url=settings.public_url,
        sms_number=settings.sms_sender_number,
        email_sender=settings.email_sender,
    )


def _sms(app: App[Settings]) -> Provider | None:
    settings = app.settings
    if settings.sms_provider == "none":
        return None
    twilio = Twilio(
        account_sid=settings.twilio_account_sid,
        auth_token=settings.twilio_auth_token.get_secret_value(),
        base_url=settings.twilio_base_url,
        status_callback=settings.status_callback,
    )
    app.on_stop(twilio.close)
    return twilio


def _email(settings: Settings) -> Provider | None:
    if settings.email_provider == "none":
        return None
    return Smtp(
        SmtpServer(
            host=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password.get_secret_value(),
            start_tls=settings.smtp_start_tls,
            implicit_tls=settings.smtp_implicit_tls,
        )
    )
