"""What tells people, through `/v2` on the whole platform: settings, words, numbers, schedules."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.chains import Chain, fresh_key, fresh_phone, key_with, open_chain, operator
from tests.e2e.test_messages import mail_when
from tests.stack import Stack

pytestmark = pytest.mark.stack

PLAN = {
    "type": "BIRTHDAY",
    "days_before": 7,
    "sms_body": "Salon Alice : bonne fête!",
    "email_subject": "Bonne fête!",
    "email_body": "De tout le salon.",
}


async def plan(client: httpx.AsyncClient, **said: object) -> httpx.Response:
    body = {"idempotency_key": fresh_key(), "scheduled_message": {**PLAN, **said}}
    return await client.post("/v2/messages/scheduled", json=body)


async def test_settings_are_changed_one_by_one(client: httpx.AsyncClient) -> None:
    """D20, SQ-09: what is left out stays; what cannot be is refused with its field."""
    before = (await client.get("/v2/messages/settings")).json()["settings"]
    changed = await client.put(
        "/v2/messages/settings", json={"settings": {"receipts": "FIRST_ONLY"}}
    )
    after = changed.json()["settings"]
    assert after == {**before, "receipts": "FIRST_ONLY", "version": after["version"]}
    refused = await client.put("/v2/messages/settings", json={"settings": {"quiet_from": "99"}})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"].startswith("settings.quiet")


async def test_words_are_previewed_kept_and_taken_back(client: httpx.AsyncClient) -> None:
    """LS-68: one sign outside of GSM-7 shows in the count before anything is sent."""
    words = {
        "kind": "OFFER",
        "channel": "SMS",
        "language_code": "fr",
        "body": "Forêt {{ offer }} {{ link }}",
    }
    preview = (await client.post("/v2/messages/preview", json={"template": words})).json()
    assert (preview["encoding"], preview["beyond_gsm"]) == ("UCS_2", "ê")
    assert preview["segments"] >= 1
    assert "salon_name_missing" in preview["warnings"]
    kept = await client.put("/v2/messages/templates", json={"template": words})
    assert kept.json()["template"]["own"] is True
    listed = (await client.get("/v2/messages/templates")).json()["templates"]
    mine = [one for one in listed if one["own"]]
    assert [one["body"] for one in mine] == [words["body"]]
    back = await client.post("/v2/messages/templates/reset", json={"template": words})
    assert back.json()["template"]["own"] is False
    bad = await client.put(
        "/v2/messages/templates", json={"template": {**words, "body": "{{ password }}"}}
    )
    assert bad.status_code == 400
    unknown = await client.put(
        "/v2/messages/templates", json={"template": {**words, "kind": "SPAM"}}
    )
    assert unknown.status_code == 400


@pytest.mark.parametrize(("chain_plan", "status"), [("PARTANT", 403), ("ESSENTIEL", 403)])
async def test_below_pro_there_is_no_number(stack: Stack, chain_plan: str, status: int) -> None:
    """LS-18, P1: PLAN_REQUIRED with what to do."""
    chain = await open_chain(stack, plan=chain_plan)
    async with operator(stack) as host:
        answer = await host.put(
            f"/v2/operator/chains/{chain.told['chain_id']}/text-to-join", json={}
        )
    assert answer.status_code == status, answer.text
    told = answer.json()["errors"][0]
    assert (told["category"], told["code"]) == ("MERCHANT_SUBSCRIPTION_ERROR", "PLAN_REQUIRED")
    async with chain.client() as client:
        seen = (await client.get("/v2/messages/text-to-join")).json()
        assert seen["allowed"] is False
        assert "number" not in seen["text_to_join"]
        assert seen["sender_number"]


async def test_a_number_is_given_named_and_taken_back(stack: Stack) -> None:
    """LS-18, LS-19, P1: Pro; JOIGNEZ unless another keyword is said; only an operator gives it."""
    chain = await open_chain(stack, plan="PRO")
    path = f"/v2/operator/chains/{chain.told['chain_id']}/text-to-join"
    async with operator(stack) as host, chain.client() as client:
        given = await host.put(path, json={})
        assert given.status_code == 200, given.text
        number = given.json()["text_to_join"]
        assert number["number"]
        assert number["keyword"] == "JOIGNEZ"
        renamed = await client.put("/v2/messages/text-to-join", json={"keyword": "ÉCLAT"})
        assert renamed.json()["text_to_join"]["keyword"] == "ÉCLAT"
        assert renamed.json()["sender_number"] == number["number"]
        for keyword in ("STOP", "deux mots"):
            refused = await client.put("/v2/messages/text-to-join", json={"keyword": keyword})
            assert refused.status_code == 400, keyword
            assert refused.json()["errors"][0]["field"] == "keyword"
        assert (await client.put(path, json={})).status_code == 401
        assert (await client.get(path)).status_code == 401
        for strange in ("bob@example.com", "-", "x" * 41):
            refused = await host.delete(path, headers={"Operator-Id": strange})
            assert refused.status_code == 400, strange
        ended = await host.delete(path, headers={"Operator-Id": "support-3"})
        assert ended.status_code == 200
        history = (await host.get(path)).json()["history"]
        assert [(one["act"], one["actor_type"], one["actor_id"]) for one in history] == [
            ("RELEASED", "OPERATOR", "support-3"),
            ("KEYWORD", "API_KEY", history[1]["actor_id"]),
            ("GIVEN", "OPERATOR", "operator"),
        ]
        assert (await host.delete(path)).status_code == 200
        gone = (await client.get("/v2/messages/text-to-join")).json()
        assert "number" not in gone["text_to_join"]


@pytest.mark.parametrize(("chain_plan", "status"), [("PARTANT", 403), ("ESSENTIEL", 200)])
async def test_birthday_messages_are_of_essentiel_and_pro(
    stack: Stack, chain_plan: str, status: int
) -> None:
    """LS-64, P3, P8."""
    chain = await open_chain(stack, plan=chain_plan)
    async with chain.client() as client:
        answer = await plan(client)
        listed = (await client.get("/v2/messages/scheduled")).json()
    assert answer.status_code == status, answer.text
    assert listed["allowed"] is (status == 200)
    assert len(listed["scheduled_messages"]) == (1 if status == 200 else 0)


async def test_a_birthday_message_is_planned_changed_and_deleted(
    alices: Chain, client: httpx.AsyncClient, charlies: Chain
) -> None:
    """LS-65, LS-66, LS-67: Charlie sees and changes nothing of it."""
    made = (await plan(client)).json()["scheduled_message"]
    assert (made["type"], made["days_before"], made["enabled"]) == ("BIRTHDAY", 7, True)
    path = f"/v2/messages/scheduled/{made['id']}"
    change = {"scheduled_message": {"days_before": 0}}
    assert (await client.put(path, json=change)).json()["scheduled_message"]["days_before"] == 0
    async with charlies.client() as charlie:
        assert (await charlie.put(path, json=change)).status_code == 404
        assert (await charlie.delete(path)).status_code in {200, 404}
        listed = (await charlie.get("/v2/messages/scheduled")).json()["scheduled_messages"]
        assert made["id"] not in [one["id"] for one in listed]
    still = (await client.get("/v2/messages/scheduled")).json()["scheduled_messages"]
    assert made["id"] in [one["id"] for one in still]
    assert (await plan(client, days_before=-1)).status_code == 400
    assert (await plan(client, offer_id=fresh_key())).status_code in {400, 404}
    reader = await key_with(alices, "LOYALTY_READ")
    async with alices.client(reader) as other:
        assert (await plan(other)).status_code == 403
    assert (await client.delete(path)).status_code == 200


async def test_a_birthday_wish_has_words_in_english_too(client: httpx.AsyncClient) -> None:
    """LS-68: what is left out of a change stays; a bad word is told at its own place."""
    english = {"sms_body": "Salon Alice: happy birthday!", "email_subject": "", "email_body": ""}
    made = (await plan(client, english={"sms_body": english["sms_body"]})).json()
    assert made["scheduled_message"]["english"] == english
    path = f"/v2/messages/scheduled/{made['scheduled_message']['id']}"
    change = {"scheduled_message": {"english": {"email_subject": "Hooray"}}}
    changed = (await client.put(path, json=change)).json()["scheduled_message"]
    assert changed["english"] == {**english, "email_subject": "Hooray"}
    assert changed["sms_body"] == PLAN["sms_body"]
    refused = await plan(client, english={"email_body": "{{ password }}"})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "scheduled_message.english.email_body"
    assert (await client.delete(path)).status_code == 200


async def test_the_chains_own_address_and_phone_are_set_by_the_api(
    stack: Stack, charlies: Chain
) -> None:
    """D18: what is left out stays; HELP tells the number; one salon's key may not speak for all."""
    chain = await open_chain(stack, salon={"name": "Salon Nord"})
    address = {"address_line_1": "12, rue Principale, Montréal QC"}
    path = "/v2/merchants/me"
    phone = fresh_phone()
    async with chain.client() as client:
        number = (await client.get("/v2/messages/text-to-join")).json()["sender_number"]
        said = {"merchant": {"address": address, "phone_number": "(514) 555-0100"}}
        answer = await client.put(path, json=said)
        assert answer.status_code == 200, answer.text
        partly = await client.put(path, json={"merchant": {"phone_number": "+15145550101"}})
        help_text = {"from": phone, "to": number, "body": "AIDE"}
        await client.post("/v2/sandbox/sms", json=help_text)
        mail = await mail_when(client, phone, bool)
        shown = (await client.get(path)).json()["merchant"]
        wrong = await client.put(path, json={"merchant": {"phone_number": "1" * 33}})
    assert partly.json()["merchant"]["address"] == address
    assert (shown["address"], shown["phone_number"]) == (address, "+15145550101")
    assert "+15145550101" in mail[0]["body"]
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "merchant.phone_number"
    for key, status in (
        (await key_with(chain, "MERCHANT_PROFILE_READ"), 403),
        (await key_with(chain, "MERCHANT_PROFILE_WRITE", salon_ids=(chain.salon_id,)), 403),
    ):
        async with chain.client(key) as other:
            assert (await other.put(path, json=said)).status_code == status
    async with charlies.client() as charlie:
        foreign = f"/v2/merchants/{chain.told['chain_id']}"
        assert (await charlie.put(foreign, json=said)).status_code == 404


async def test_a_stranger_with_a_made_up_link_unsubscribes_nobody(stack: Stack) -> None:
    """RFC 8058: no session; a GET changes nothing; a token that we did not sign is refused."""
    async with httpx.AsyncClient(base_url=stack.base_url) as anybody:
        page = await anybody.get("/u/made-up", headers={"accept": "text/html"})
        assert page.status_code == 200
        assert "<form" in page.text
        refused = await anybody.post(
            "/u/made-up", data={"List-Unsubscribe": "One-Click"}, headers={"accept": "text/html"}
        )
        assert 400 <= refused.status_code < 500
