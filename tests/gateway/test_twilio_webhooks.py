"""Twilio's webhooks: only what Twilio signed for this address has an effect (LS-20, LS-79)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import grpc
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loyalty.messaging.v1 import messaging_pb2
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from services.chassis.errors import RemoteRefusal, Unavailable
from services.gateway.app import create_app
from services.gateway.webhooks.signature import is_signed, signature_of

TOKEN = "12345"
PUBLIC_URL = "https://meche.example"
TEXT = {
    "MessageSid": "SM00000000000000000000000000000001",
    "From": "+15145550142",
    "To": "+15145550100",
    "Body": "Joignez é & co = ça",
}
STATUS = {"MessageSid": "SM1", "MessageStatus": "delivered", "ErrorCode": ""}

names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)


def test_twilios_documented_example_is_signed_as_they_say() -> None:
    """https://www.twilio.com/docs/usage/security: the vector of their own documentation."""
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature_of(TOKEN, url, fields.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert RequestValidator(TOKEN).validate(url, fields, "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


@given(fields=st.dictionaries(names, st.text(max_size=40), max_size=8), token=names)
def test_our_signature_is_the_one_that_twilios_library_makes(
    fields: dict[str, str], token: str
) -> None:
    """Method: their `RequestValidator` computes and validates against ours."""
    url = f"{PUBLIC_URL}/webhooks/twilio/sms"
    theirs = RequestValidator(token).compute_signature(url, fields)
    assert signature_of(token, url, fields.items()) == theirs
    assert is_signed(token, url, fields.items(), theirs)


@pytest.mark.parametrize(
    ("told", "signed"),
    [
        ("https://meche.example/u", "https://meche.example:443/u"),
        ("https://meche.example:8443/u", "https://meche.example/u"),
        ("http://meche.example/u", "http://meche.example:80/u"),
    ],
)
def test_an_address_counts_with_and_without_its_port(told: str, signed: str) -> None:
    """As their library does: Twilio signs some with it and some without."""
    signature = RequestValidator(TOKEN).compute_signature(signed, TEXT)
    assert is_signed(TOKEN, told, TEXT.items(), signature)
    assert RequestValidator(TOKEN).validate(told, TEXT, signature)


class Messaging:
    """Notes what reaches messaging."""

    def __init__(self, answer: Exception | None = None) -> None:
        self.calls: list[Any] = []
        self._answer = answer

    async def _note(self, request: Any) -> None:
        self.calls.append(request)
        if self._answer is not None:
            raise self._answer

    async def ReceiveSms(self, request: Any) -> Any:
        await self._note(request)
        return messaging_pb2.ReceiveSmsResponse(keyword="none")

    async def ReceiveStatus(self, request: Any) -> Any:
        await self._note(request)
        return messaging_pb2.ReceiveStatusResponse(moved=True)


class Unlimited:
    """No limits."""

    async def check(self, *_: str) -> None:
        return

    def network_of(self, _: Any) -> str:
        return "here"


async def post(
    messaging: Messaging,
    path: str,
    fields: dict[str, str],
    *,
    signature: str | None = None,
    token: str = TOKEN,
) -> httpx.Response:
    settings = SimpleNamespace(
        is_https=True,
        environment="local",
        public_url=PUBLIC_URL,
        twilio_auth_token=SecretStr(token),
    )
    clients = SimpleNamespace(messaging=messaging)
    deps = SimpleNamespace(settings=settings, clients=clients, limits=Unlimited())
    app = create_app(deps)  # type: ignore[arg-type]
    if signature is None:
        signature = RequestValidator(TOKEN).compute_signature(PUBLIC_URL + path, fields)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.7:8080") as client:
        return await client.post(path, data=fields, headers={"X-Twilio-Signature": signature})


async def test_a_signed_text_reaches_messaging_with_its_id() -> None:
    """LS-20: by the public address, whatever host the balancer asks."""
    messaging = Messaging()
    answer = await post(messaging, "/webhooks/twilio/sms", TEXT)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    (call,) = messaging.calls
    assert call.provider_message_id == TEXT["MessageSid"]
    assert (getattr(call, "from"), call.to, call.body) == (
        TEXT["From"],
        TEXT["To"],
        TEXT["Body"],
    )
    assert call.chain_id == ""


async def test_a_signed_status_reaches_messaging() -> None:
    messaging = Messaging()
    answer = await post(messaging, "/webhooks/twilio/status", STATUS)
    assert answer.status_code == 204
    assert [call.status for call in messaging.calls] == ["delivered"]


@pytest.mark.parametrize("path", ["/webhooks/twilio/sms", "/webhooks/twilio/status"])
@pytest.mark.parametrize("times", [1, 5])
async def test_what_twilio_did_not_sign_for_this_address_has_no_effect(
    path: str, times: int
) -> None:
    """A bad signature, none, another token's, another address's, another body's, no token here."""
    other = RequestValidator(TOKEN).compute_signature("https://evil.example" + path, TEXT)
    stranger = RequestValidator("other").compute_signature(PUBLIC_URL + path, TEXT)
    changed = RequestValidator(TOKEN).compute_signature(PUBLIC_URL + path, {**TEXT, "Body": "x"})
    unset = RequestValidator("").compute_signature(PUBLIC_URL + path, TEXT)
    messaging = Messaging()
    for _ in range(times):
        for signature in ("", "====", "AAAA", other, stranger, changed):
            answer = await post(messaging, path, TEXT, signature=signature)
            assert answer.status_code == 403
        assert (await post(messaging, path, TEXT, signature=unset, token="")).status_code == 403
    assert not messaging.calls


@pytest.mark.parametrize("path", ["/webhooks/twilio/sms", "/webhooks/twilio/status"])
async def test_a_refusal_is_final_and_an_outage_asks_twilio_to_come_again(path: str) -> None:

    refusal = RemoteRefusal(code="phone_invalid", status=grpc.StatusCode.INVALID_ARGUMENT)
    assert (await post(Messaging(refusal), path, TEXT)).status_code in {200, 204}
    assert (await post(Messaging(Unavailable("away")), path, TEXT)).status_code == 503


async def test_a_get_is_no_webhook() -> None:
    app = create_app(SimpleNamespace(settings=SimpleNamespace(is_https=True, environment="local")))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://meche") as client:
        assert (await client.get("/webhooks/twilio/sms")).status_code == 405
