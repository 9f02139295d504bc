"""The link of an e-mail that really left, followed as people, mailboxes and scanners follow it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from loyalty.messaging.v1 import messaging_pb2_grpc

from services.chassis.errors import RateLimited
from services.chassis.signing import Signer
from services.gateway.app import create_app
from services.messaging import rpc
from services.messaging.domain.chain import ChainId, Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.usecases.deps import UNSUBSCRIBE_PURPOSE
from tests.messaging.conftest import EMAIL, SECRET, MessagingHarness
from tests.messaging.ledger import Ledger
from tests.messaging.wire import serving

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass
class Guesses:
    """Counts who is counted; refuses everybody once it is full."""

    counted: int = 0
    full: bool = False
    networks: list[str] = field(default_factory=list)

    async def check(self, *_: str) -> None:
        self.counted += 1
        if self.full:
            raise RateLimited(60)

    def network_of(self, _: Any) -> str:
        return "here"


class Chains:
    """What enrollment would tell of a chain."""

    async def by_id(self, chain_id: str) -> Any:
        return SimpleNamespace(name="Salon Mèche")


@asynccontextmanager
async def front_door(
    messaging: MessagingHarness, guesses: Guesses | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway's own routes over this messaging service; nobody is signed in."""
    settings = SimpleNamespace(
        is_https=True, environment="local", public_url=messaging.deps.public_url
    )
    async with serving(rpc.register(messaging.deps), rpc.STATUS) as channel:
        deps = SimpleNamespace(
            settings=settings,
            clients=SimpleNamespace(messaging=messaging_pb2_grpc.MessagingServiceStub(channel)),
            limits=guesses or Guesses(),
            signer=lambda purpose: Signer(SECRET, purpose),
            chains=Chains(),
        )
        transport = httpx.ASGITransport(app=create_app(deps))  # type: ignore[arg-type]
        async with httpx.AsyncClient(
            transport=transport, base_url=messaging.deps.public_url
        ) as client:
            yield client


async def joined(messaging: MessagingHarness, email: str = EMAIL, **words: Any) -> Contact:
    """A member of a live chain, who has just been sent her welcome by e-mail."""
    chain_id = await messaging.chain(sandbox=False)
    contact = await messaging.enroll(
        chain_id,
        **{
            "phone": "",
            "email": email,
            "registered_by": Channel.EMAIL,
            "grants": [Channel.EMAIL],
            **words,
        },
    )
    await messaging.drain()
    return contact


def link_of(messaging: MessagingHarness) -> str:
    """What the newest e-mail says in its header, as a mailbox provider reads it (RFC 2369)."""
    mail = messaging.smtp.taken[-1]
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = str(mail["List-Unsubscribe"]).strip("<>")
    assert link.startswith("https://")
    return link


async def news(messaging: MessagingHarness, member: Contact) -> None:
    """Points are taken by hand: a message that would leave at once (SQ-33)."""
    ledger = Ledger(
        messaging=messaging, chain_id=member.chain_id, member_id=member.member_id, balance=9
    )
    await ledger.adjust(-1)
    await messaging.drain()


async def test_one_click_stops_everything_of_that_chain_and_nothing_else(
    messaging: MessagingHarness,
) -> None:
    """RFC 8058: a POST from elsewhere, without session and cookies, whatever its Origin."""
    alice, elsewhere = await joined(messaging), await joined(messaging)
    del messaging.smtp.taken[1:]
    async with front_door(messaging) as mailbox:
        for _ in range(2):
            answer = await mailbox.post(
                link_of(messaging),
                data=ONE_CLICK,
                headers={"Origin": "https://mail.example", "Sec-Fetch-Site": "cross-site"},
            )
            assert answer.status_code == 200
        assert "set-cookie" not in answer.headers
    assert await messaging.granted(alice.chain_id, EMAIL) is False
    assert await messaging.granted(elsewhere.chain_id, EMAIL) is True

    await news(messaging, alice)
    assert len(messaging.smtp.taken) == 1
    assert (await messaging.states(alice.chain_id))[-1] == ("BLOCKED", "stopped")
    await news(messaging, elsewhere)
    assert len(messaging.smtp.taken) == 2


async def test_whoever_only_opens_the_link_stops_nothing(messaging: MessagingHarness) -> None:
    """A scanner of mail follows links, also with HEAD; the page has one button for people."""
    alice = await joined(messaging)
    async with front_door(messaging) as scanner:
        link = link_of(messaging)
        for _ in range(3):
            page = await scanner.get(link, headers={"Accept": "text/html"})
            await scanner.head(link)
        assert page.status_code == 200
        assert '<form class="card stack" method="post">' in page.text
        assert urlsplit(link).path not in page.text.replace(urlsplit(link).path + "?lang=", "")
    await news(messaging, alice)

    assert await messaging.granted(alice.chain_id, EMAIL) is True
    assert len(messaging.smtp.taken) == 2


async def test_a_person_presses_the_button_and_reads_what_follows_in_her_language(
    messaging: MessagingHarness,
) -> None:
    alice = await joined(messaging, language=Language.EN)
    async with front_door(messaging) as browser:
        done = await browser.post(link_of(messaging), headers={"Accept": "text/html"})
    assert (done.status_code, done.headers["content-language"]) == (200, "en")
    assert "you will get no more e-mails from Salon Mèche." in done.text
    assert await messaging.granted(alice.chain_id, EMAIL) is False


async def test_a_link_has_no_end(messaging: MessagingHarness) -> None:
    """Canadian law asks for sixty days at least; a year later it still works."""
    alice = await joined(messaging)
    messaging.clock.set(messaging.clock.now() + timedelta(days=365))
    async with front_door(messaging) as mailbox:
        assert (await mailbox.post(link_of(messaging), data=ONE_CLICK)).status_code == 200
    assert await messaging.granted(alice.chain_id, EMAIL) is False


def signed(payload: bytes, secret: str = SECRET, purpose: str = UNSUBSCRIBE_PURPOSE) -> str:
    return Signer(secret, purpose).sign(payload)


async def test_a_link_that_was_made_up_stops_nothing(messaging: MessagingHarness) -> None:
    """Forged, cut, of another purpose, or Charlie's chain with Alice's delivery: nothing."""
    alice = await joined(messaging)
    charlies = ChainId((await joined(messaging, "charlie@example.com")).chain_id)
    delivery = await messaging.pool.fetchval(
        "SELECT id FROM delivery WHERE chain_id = $1", alice.chain_id
    )
    true = alice.chain_id.bytes + delivery.bytes
    strange = [
        signed(true, secret="another root secret that is long enough"),
        signed(true, purpose="status-link"),
        signed(charlies.bytes + delivery.bytes),
        signed(true)[:-1],
        signed(true[:16]),
        "%00",
        "x" * 1999,
    ]
    async with front_door(messaging) as stranger:
        for token in strange:
            answer = await stranger.post(f"/u/{token}", data=ONE_CLICK)
            assert 400 <= answer.status_code < 500, token
    acts = await messaging.pool.fetch("SELECT granted FROM consent_record")
    assert [row["granted"] for row in acts] == [True, True]


@pytest.mark.parametrize("tries", [30])
async def test_guesses_are_counted_and_true_links_are_not(
    messaging: MessagingHarness, tries: int
) -> None:
    """A large mailbox provider posts for all its people from one network."""
    alice = await joined(messaging)
    guesses = Guesses(full=True)
    async with front_door(messaging, guesses) as mailbox:
        for _ in range(tries):
            assert (await mailbox.post("/u/made-up", data=ONE_CLICK)).status_code == 429
        assert guesses.counted == tries
        assert (await mailbox.post(link_of(messaging), data=ONE_CLICK)).status_code == 200
    assert guesses.counted == tries
    assert await messaging.granted(alice.chain_id, EMAIL) is False
