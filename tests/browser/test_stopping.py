"""A send to many, stopped from the panel while it leaves (LS-60; ADR 0017)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from playwright.async_api import Page, expect

from services.chassis.clock import BusinessClock, SystemClock
from services.chassis.postgres import Connection, create_pool, in_transaction
from services.chassis.proofs import AddressProofs
from services.chassis.signing import Sealer, Signer
from services.messaging.domain.chain import ChainId, Language, MemberId
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.domain.provider import Providers
from services.messaging.providers.mailbox import Mailbox
from services.messaging.usecases import contacts
from services.messaging.usecases.contacts import ContactNews, FirstGrant
from services.messaging.usecases.deps import Deps, join_sealer
from tests.browser.salon import Salon
from tests.browser.test_offers import is_good
from tests.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack]

MEMBERS = 60
# Four leave at a time: some fifteen seconds for all.
SECONDS_EACH = 1.0
SECRET = "a root secret for what no member of this test reads"
WORDS = "Salon Lumière: fermé demain."


def _member(chain_id: ChainId, number: int) -> ContactNews:
    contact = Contact(
        chain_id=chain_id,
        member_id=MemberId(uuid4()),
        phone=f"+1450555{number:04d}",
        email="",
        given_name="",
        language=Language.FR,
        registered_by=Channel.SMS,
        birthday="",
        phone_verified=True,
        email_verified=False,
        version=1,
    )
    now = datetime.now(UTC)
    grant = FirstGrant(channel=Channel.SMS, wording_version="w1", granted_at=now)
    return ContactNews(
        contact=contact,
        enrolled_now=False,
        enrollment_source="IMPORT",
        first_grants=[grant],
        at=now,
    )


async def _many_members(stack: Stack, chain_id: ChainId) -> None:
    """News of members who have agreed to texts, as enrollment tells it."""
    pool = await create_pool(stack.database("messaging").service_url, size_max=2, name="test")
    deps = Deps(
        pool=pool,
        clock=BusinessClock(SystemClock()),
        providers=Providers(mailbox=Mailbox(pool), sms=None, email=None),
        sealer=Sealer(SECRET, "a"),
        words=Sealer(SECRET, "b"),
        unsubscribe=Signer(SECRET, "c"),
        proofs=AddressProofs(SECRET),
        join_sealer=join_sealer(SECRET),
        public_url=stack.base_url,
        sms_number="+15145550100",
        email_sender="no-reply@example.com",
    )

    async def work(conn: Connection) -> None:
        for number in range(MEMBERS):
            await contacts.take_contact(deps, conn, _member(chain_id, number))

    try:
        await in_transaction(pool, work)
    finally:
        await pool.close()


@asynccontextmanager
async def slow_mailbox(stack: Stack, chain_id: ChainId) -> AsyncIterator[None]:
    """The chain's provider takes its time for each message; other chains do not notice."""
    name = f"slow_{chain_id.hex}"
    owner = await asyncpg.connect(stack.database("messaging").owner_url)
    await owner.execute(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_sleep({SECONDS_EACH}); RETURN NEW; END $$;
        CREATE TRIGGER {name} BEFORE INSERT ON sandbox_message
            FOR EACH ROW WHEN (NEW.chain_id = '{chain_id}') EXECUTE FUNCTION {name}();
        """
    )
    try:
        yield
    finally:
        await owner.execute(f"DROP FUNCTION {name}() CASCADE")
        await owner.close()


async def _arrived(salon: Salon) -> list[str]:
    answer = await salon.till.get("/v2/sandbox/messages", params={"limit": 200})
    messages: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
    return [one["to"] for one in messages if one["body"].startswith(WORDS)]


async def _at_rest(salon: Salon, send_id: str) -> dict[str, int]:
    """The report once no message of the send is in anybody's hands."""
    for _ in range(300):
        answer = await salon.till.get(f"/v2/messages/sends/{send_id}")
        report: dict[str, int] = answer.raise_for_status().json()["send"]["report"]
        if report["queued"] == 0:
            return report
        await asyncio.sleep(0.1)
    raise AssertionError("the send does not come to rest")


async def test_a_large_send_moves_is_stopped_and_says_how_many_left(
    panel_of_its_own: Page, own_salon: Salon, stack: Stack
) -> None:
    """LS-60: progress moves by itself; "Arrêter" holds back the rest, and nobody gets it after."""
    page, chain_id = panel_of_its_own, ChainId(UUID(own_salon.chain_id))
    await _many_members(stack, chain_id)
    async with slow_mailbox(stack, chain_id):
        await page.goto(f"{own_salon.url}/admin/sends/new")
        await expect(page.locator("[data-count=chosen]")).to_have_text(str(MEMBERS))
        await page.get_by_label("Message SMS", exact=True).fill(WORDS)
        await page.get_by_role("button", name="Envoyer", exact=True).click()
        await page.get_by_role("button", name="Oui, envoyer").click()
        progress = page.get_by_role("progressbar")
        for _ in range(2):
            # The page renews itself: more have left than before, without a touch.
            before = await progress.get_attribute("value")
            await expect(progress).not_to_have_attribute("value", before or "")
        await is_good(page)
        await page.get_by_role("link", name="Arrêter").click()
        await page.get_by_role("button", name="Arrêter").click()
        await expect(page.get_by_text("Arrêté", exact=True)).to_be_visible()
        await expect(page.get_by_role("link", name="Arrêter")).to_have_count(0)
        report = await _at_rest(own_salon, page.url.rsplit("/", 1)[-1].partition("?")[0])
    left, held = report["sent"] + report["delivered"], report["stopped"]

    assert 0 < left < MEMBERS
    assert left + held == report["chosen"] == MEMBERS
    arrived = await _arrived(own_salon)
    assert len(arrived) == len(set(arrived)) == left
    await page.reload()
    for words, number in (
        ("Envoyés", left),
        ("Retenus par «.Arrêter.»", held),
    ):
        place = page.locator("dl.report > div").filter(has_text=re.compile(f"^{words}"))
        await expect(place.locator("dd")).to_have_text(str(number))
    await expect(progress).to_have_attribute("value", str(left))
    await is_good(page)
