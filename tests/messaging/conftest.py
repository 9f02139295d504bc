"""Messaging on a real database, with a clock that tests set and carriers on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from loyalty.events.v1 import messaging_events_pb2

from deploy.local.databases import DatabaseUrls
from services.chassis.clock import BusinessClock, FixedClock
from services.chassis.postgres import Connection, Pool, create_pool, in_transaction
from services.chassis.proofs import AddressProofs
from services.chassis.signing import Sealer, Signer
from services.messaging.domain.chain import Chain, ChainId, Language, MemberId, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.domain.delivery import DeliveryEntry
from services.messaging.domain.keywords import Keyword
from services.messaging.domain.mailbox import SandboxMessage
from services.messaging.domain.provider import Providers
from services.messaging.domain.text_to_join import Actor
from services.messaging.providers.mailbox import Mailbox
from services.messaging.providers.smtp import Smtp, SmtpServer
from services.messaging.providers.twilio import Twilio
from services.messaging.storage import deliveries
from services.messaging.usecases import contacts, inbound, journal, sending
from services.messaging.usecases.contacts import ContactNews, FirstGrant, RequestedCode
from services.messaging.usecases.deps import (
    CODE_PURPOSE,
    UNSUBSCRIBE_PURPOSE,
    WORDS_PURPOSE,
    Deps,
    join_sealer,
)
from tests.engines import Postgres
from tests.messaging.carriers import FakeSmtp, FakeTwilio

OPERATOR = Actor(kind="OPERATOR", id="support-3")
NOW = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
SECRET = "a-root-secret-that-only-tests-know-of"
SHARED_NUMBER = "+15145550100"
PHONE = "+15145550123"
EMAIL = "alice@example.com"
SENDER = "no-reply@meche.example"
POSTAL_ADDRESS = "12, rue des Lilas, Montréal (Québec) H2X 1A1"
_EMPTY = """
TRUNCATE chain_number_act, program_change, program_change_read, provider_status, message_send,
         send_recipient, offer_coupon, idempotency, chain_number, offer_copy, scheduled_message,
         chain_copy, contact, consent_record, consent, correspondence, inbound_sms, delivery,
         delivery_attempt, sandbox_message, member_account, member_standing, member_salon,
         program_copy, message_settings, message_template, sms_day, early_news, email_asked,
         outbox, inbox, dead_letter, consumer_position
"""


def contact_of(**words: Any) -> Contact:
    """A contact that has given nothing, except for what `words` say."""
    given: dict[str, Any] = {
        "chain_id": ChainId(uuid4()),
        "member_id": MemberId(uuid4()),
        "phone": "",
        "email": "",
        "given_name": "",
        "language": None,
        "registered_by": None,
        "birthday": "",
        "phone_verified": False,
        "email_verified": False,
        "version": 1,
    }
    return Contact(**{**given, **words})


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagingHarness:
    """The service's use cases, what they leave behind, and the carriers they speak to."""

    deps: Deps
    pool: Pool
    clock: FixedClock
    twilio: FakeTwilio
    smtp: FakeSmtp

    # -- what enrollment tells ---------------------------------------------------------------

    async def chain(self, *, sandbox: bool = True, known: bool = True, **words: Any) -> ChainId:
        """A chain, of which enrollment has told unless it is not `known`."""
        chain_id = ChainId(uuid4())
        if known:
            await self.tell_chain(chain_id, sandbox=sandbox, **words)
        return chain_id

    async def tell_chain(self, chain_id: ChainId, **words: Any) -> None:
        given: dict[str, Any] = {
            "slug": f"salon-{chain_id.hex[:8]}",
            "name": "Salon Mèche",
            "plan": Plan.PARTANT,
            "sandbox": True,
            "home_time_zone": "America/Toronto",
            "language": Language.FR,
            "version": 1,
            "postal_address": POSTAL_ADDRESS,
        }
        chain = Chain(chain_id=chain_id, **{**given, **words})

        async def work(conn: Connection) -> None:
            await contacts.take_chain(self.deps, conn, chain)

        await in_transaction(self.pool, work)

    async def enroll(
        self,
        chain_id: ChainId,
        *,
        grants: Sequence[Channel] = (),
        source: str = "JOIN_QR",
        **words: Any,
    ) -> Contact:
        """A member who has just joined, by phone unless `words` say otherwise."""
        given: dict[str, Any] = {
            "chain_id": chain_id,
            "phone": PHONE,
            "registered_by": Channel.SMS,
            "language": Language.FR,
        }
        contact = contact_of(**{**given, **words})
        await self.tell_contact(contact, enrolled_now=True, grants=grants, source=source)
        return contact

    async def tell_contact(
        self,
        contact: Contact,
        *,
        enrolled_now: bool = False,
        grants: Sequence[Channel] = (),
        source: str = "JOIN_QR",
    ) -> None:
        news = ContactNews(
            contact=contact,
            enrolled_now=enrolled_now,
            enrollment_source=source,
            first_grants=[
                FirstGrant(channel=one, wording_version="w1", granted_at=self.clock.now())
                for one in grants
            ],
            at=self.clock.now(),
        )

        async def work(conn: Connection) -> None:
            await contacts.take_contact(self.deps, conn, news)

        await in_transaction(self.pool, work)

    async def request_code(
        self, chain_id: ChainId, *, code: str = "482913", minutes: float = 10, **words: Any
    ) -> RequestedCode:
        """A one-time code that enrollment wants sent."""
        given: dict[str, Any] = {
            "chain_id": chain_id,
            "challenge_id": str(uuid4()),
            "channel": Channel.SMS,
            "address": PHONE,
            "sealed_code": self.deps.sealer.seal(code.encode()),
            "language": Language.FR,
            "expires_at": self.clock.now() + timedelta(minutes=minutes),
        }
        wanted = RequestedCode(**{**given, **words})
        await self.tell_code(wanted)
        return wanted

    async def tell_code(self, wanted: RequestedCode) -> None:
        async def work(conn: Connection) -> None:
            await contacts.take_code(self.deps, conn, wanted)

        await in_transaction(self.pool, work)

    # -- what happens ------------------------------------------------------------------------

    async def next_due_at(self) -> datetime | None:
        """When the next delivery is due, in real time; None when none waits."""
        return await in_transaction(self.pool, deliveries.next_due_at)

    async def drain(self) -> int:
        """Do every step of sending that is due now."""
        steps = 0
        while await sending.send_next(self.deps):
            steps += 1
            assert steps < 1_000, "sending does not come to rest"
        return steps

    async def text(
        self,
        body: str,
        *,
        chain_id: ChainId | None = None,
        phone: str = PHONE,
        number: str = SHARED_NUMBER,
        message_id: str = "",
    ) -> Keyword:
        """A text from a phone; without a chain it comes from the networks."""
        return await inbound.receive_sms(
            self.deps,
            inbound.ReceiveSms(
                provider_message_id=message_id or f"SM{uuid4().hex}",
                phone=phone,
                number=number,
                body=body,
                chain_id=chain_id,
            ),
        )

    # -- what is left behind -----------------------------------------------------------------

    async def mailbox(self, chain_id: ChainId, *, to: str = "") -> list[SandboxMessage]:
        return await journal.list_sandbox_messages(
            self.deps, chain_id, to=to, channel=None, limit=200
        )

    async def entries(self, chain_id: ChainId) -> list[DeliveryEntry]:
        return await journal.list_deliveries(
            self.deps, chain_id, member_id=None, before_sequence=None, limit=200
        )

    async def states(self, chain_id: ChainId) -> list[tuple[str, str]]:
        """State and reason of the chain's deliveries, oldest first."""
        return [(one.state.value, one.reason) for one in reversed(await self.entries(chain_id))]

    async def granted(self, chain_id: UUID, address: str = PHONE) -> bool | None:
        """What counts for an address; None where nothing was ever said."""
        found: bool | None = await self.pool.fetchval(
            "SELECT granted FROM consent WHERE chain_id = $1 AND address = $2", chain_id, address
        )
        return found

    async def acts(self, chain_id: UUID) -> list[tuple[str, bool, str]]:
        """Every act about the chain's addresses, in order."""
        rows = await self.pool.fetch(
            "SELECT channel, granted, source FROM consent_record WHERE chain_id = $1 ORDER BY id",
            chain_id,
        )
        return [(row["channel"], row["granted"], row["source"]) for row in rows]

    async def told(self, chain_id: UUID) -> list[tuple[str, str]]:
        """The events of the chain: type and state, in order."""
        rows = await self.pool.fetch(
            "SELECT type, payload FROM outbox WHERE chain_id = $1 ORDER BY id", chain_id
        )
        return [
            (
                row["type"],
                messaging_events_pb2.DeliveryChanged.FromString(row["payload"]).status
                if row["type"].startswith("delivery.")
                else "",
            )
            for row in rows
        ]

    def without_carriers(self) -> MessagingHarness:
        """The same service where the operator has set up nobody to carry messages."""
        providers = replace(self.deps.providers, sms=None, email=None)
        return replace(self, deps=replace(self.deps, providers=providers))


@pytest.fixture(scope="session")
async def messaging_urls(postgres: Postgres) -> DatabaseUrls:
    return await postgres.create_database("messaging")


@pytest.fixture(scope="session")
async def messaging_pool(messaging_urls: DatabaseUrls) -> AsyncIterator[Pool]:
    pool = await create_pool(messaging_urls.service_url, size_max=12, name="messaging")
    yield pool
    try:
        await asyncio.wait_for(pool.close(), 10)
    except TimeoutError:
        # A test that failed has left somebody behind who holds a connection.
        pool.terminate()


@pytest.fixture
async def messaging(
    messaging_urls: DatabaseUrls, messaging_pool: Pool
) -> AsyncIterator[MessagingHarness]:
    """Messaging on an emptied database: the shared number knows nobody from other tests."""
    owner = await asyncpg.connect(messaging_urls.owner_url)
    await owner.execute(_EMPTY)
    await owner.close()
    pool = messaging_pool
    clock = FixedClock(NOW)
    async with FakeTwilio().serving() as twilio, FakeSmtp().serving() as smtp:
        sms = Twilio(account_sid="AC1", auth_token="t0ken", base_url=twilio.url)
        email = Smtp(
            SmtpServer(
                host="127.0.0.1",
                port=smtp.port,
                username="",
                password="",
                start_tls="off",
                implicit_tls=False,
            )
        )
        deps = Deps(
            pool=pool,
            clock=BusinessClock(clock),
            providers=Providers(mailbox=Mailbox(pool), sms=sms, email=email),
            sealer=Sealer(SECRET, CODE_PURPOSE),
            words=Sealer(SECRET, WORDS_PURPOSE),
            unsubscribe=Signer(SECRET, UNSUBSCRIBE_PURPOSE),
            proofs=AddressProofs(SECRET),
            join_sealer=join_sealer(SECRET),
            public_url="https://fidelite.example.ca",
            sms_number=SHARED_NUMBER,
            email_sender=SENDER,
        )
        yield MessagingHarness(deps=deps, pool=pool, clock=clock, twilio=twilio, smtp=smtp)
        await sms.close()
