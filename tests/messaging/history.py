"""One random history of two chains and a person who is a member of both."""

from __future__ import annotations

import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from uuid import UUID, uuid4

from services.chassis.clock import BusinessClock, FixedClock
from services.messaging.domain import errors
from services.messaging.domain.audience import Audience
from services.messaging.domain.chain import PLATFORM, ChainId, Plan
from services.messaging.domain.consent import Channel
from services.messaging.domain.contact import Contact
from services.messaging.domain.provider import (
    Accepted,
    Lookup,
    Outgoing,
    Providers,
    SendOutcome,
    TryLater,
)
from services.messaging.domain.schedule import ScheduledWords
from services.messaging.usecases import (
    consent,
    numbers,
    schedules,
    sending,
    sends,
    status,
    timely,
    unsubscribing,
)
from tests.messaging.conftest import NOW, OPERATOR, MessagingHarness
from tests.messaging.consent_model import SHARED, Member, Model, Shop
from tests.messaging.ledger import Ledger

STEPS_MAX = 24
# Nobody shares a phone with another history: what one of them stops would be stopped for both.
_LIVES = itertools.count()
WORDS = ScheduledWords(
    sms_body="{{ chain }}: bonjour", email_subject="Bonjour", email_body="{{ chain }}: bonjour"
)


@dataclass(kw_only=True)
class Carrier:
    """Takes whatever it is given and notes it; now and then it asks to be asked again."""

    name: str = "carrier"
    chance: random.Random
    tried: list[Outgoing] = field(default_factory=list)
    left: list[Outgoing] = field(default_factory=list)

    async def send(self, message: Outgoing) -> SendOutcome:
        self.tried.append(message)
        if self.chance.random() < 0.1:
            return TryLater(reason="busy")
        self.left.append(message)
        return Accepted(provider_message_id=f"CA{uuid4().hex}")

    async def find(self, message: Outgoing) -> Accepted | Lookup:
        return Lookup.CANNOT_SAY


class History:
    """The service and the model live the same life; what leaves must be what the model lets."""

    def __init__(self, harness: MessagingHarness, chance: random.Random) -> None:
        self.chance = chance
        self.carrier = Carrier(chance=chance)
        self.clock = FixedClock(NOW)
        one = self.carrier
        self.house = replace(
            harness,
            clock=self.clock,
            deps=replace(
                harness.deps,
                clock=BusinessClock(self.clock),
                providers=Providers(mailbox=one, sms=one, email=one),
            ),
        )
        self.model = Model()
        self.steps: list[str] = []
        self.told: dict[UUID, Contact] = {}
        self.first: dict[UUID, tuple[Contact, list[Channel]]] = {}
        self.versions: dict[UUID, int] = {}
        self.ledgers: dict[UUID, Ledger] = {}
        mine = 2_000_000 + 2 * next(_LIVES)
        self.phones = [f"+1514{mine + n}" for n in (0, 1)]
        self.emails = [f"{mine + n}@example.com" for n in (0, 1)]
        self.own = [f"+1438{mine + n}" for n in (0, 1)]

    async def run(self) -> int:
        """Live it; how many messages left."""
        await self._open(live=True)
        await self._open(live=self.chance.random() < 0.7)
        acts: list[Callable[[UUID], Awaitable[None]]] = [
            *(self._text, self._tick, self._unsubscribe, self._plan, self._number, self._replay),
            *(self._contact, self._code, self._service, self._service, self._announce),
            *(self._announce, self._birthday, self._status, self._drain, self._drain, self._text),
        ]
        for _ in range(self.chance.randint(8, STEPS_MAX)):
            self.clock.advance(timedelta(seconds=self.chance.choice((0, 2, 30))))
            act, chain_id = self.chance.choice(acts), self.chance.choice([*self.model.shops])
            self.steps.append(f"{act.__name__} {chain_id.hex[:4]}")
            await act(chain_id)
        for chain_id in self.model.shops:
            await self._drain(chain_id)
        while await sending.send_next(self.house.deps, chain_id=PLATFORM):
            pass
        return len(self.carrier.left)

    # -- the two chains ----------------------------------------------------------------------

    async def _open(self, *, live: bool) -> None:
        plan = self.chance.choice([*Plan])
        chain_id = await self.house.chain(sandbox=not live, plan=plan)
        self.versions[chain_id] = 1
        member = Member(
            phone=self.phones[0],
            email=self.emails[0],
            phone_proved=self.chance.random() < 0.8,
            email_proved=self.chance.random() < 0.8,
        )
        self.model.shops[chain_id] = Shop(live=live, plan=plan.value, member=member)
        grants = [one for one in Channel if self.chance.random() < 0.5]
        contact = await self.house.enroll(
            chain_id,
            grants=grants,
            phone=member.phone,
            email=member.email,
            phone_verified=member.phone_proved,
            email_verified=member.email_proved,
            registered_by=self.chance.choice([*Channel]),
            birthday="11-20",
        )
        self.told[chain_id], self.first[chain_id] = contact, (contact, grants)
        self.ledgers[chain_id] = Ledger(
            messaging=self.house, chain_id=chain_id, member_id=contact.member_id
        )
        self._granted(chain_id, contact, grants)

    def _granted(self, chain_id: UUID, contact: Contact, grants: list[Channel]) -> None:
        for channel in grants:
            self.model.first_grant(chain_id, contact.address(channel))

    # -- what people do ----------------------------------------------------------------------

    async def _text(self, chain_id: UUID) -> None:
        """STOP, YES, HELP, a keyword or nothing at all, to whichever number."""
        shop = self.model.shops[chain_id]
        body = self.chance.choice(("STOP", "ARRÊT", "OUI", "YES merci", "aide", "Joignez", "?"))
        phone = self.chance.choice(self.phones)
        number = SHARED
        if shop.live and shop.own_number and self.chance.random() < 0.6:
            number = shop.own_number
        meant = None if shop.live and number == SHARED else chain_id
        self.steps.append(f"  {body} from {phone[-2:]} to {number}")
        await self.house.text(
            body, phone=phone, number=number, chain_id=None if shop.live else ChainId(chain_id)
        )
        at = number if shop.live else shop.speaks_from
        if body in {"STOP", "ARRÊT"}:
            self.model.stop(phone, at, meant)
        elif body in {"OUI", "YES merci"}:
            self.model.yes(phone, at, meant)

    async def _tick(self, chain_id: UUID) -> None:
        granted = self.chance.random() < 0.6
        contact = self.told[chain_id]
        wanted = consent.SetEmailConsent(
            chain_id=contact.chain_id,
            member_id=contact.member_id,
            granted=granted,
            wording_version="w1",
            by_herself=True,
        )
        await consent.set_email_consent(self.house.deps, wanted)
        self.model.say(chain_id, contact.email, agreed=granted)

    async def _unsubscribe(self, chain_id: UUID) -> None:
        """The link in any e-mail that this chain ever sent."""
        mails = [one for one in self.carrier.left if one.chain_id == chain_id]
        mails = [one for one in mails if one.unsubscribe_url]
        if mails:
            mail = self.chance.choice(mails)
            token = mail.unsubscribe_url.rpartition("/")[2]
            await unsubscribing.unsubscribe(self.house.deps, token)
            self.model.say(chain_id, mail.to, agreed=False)

    async def _replay(self, chain_id: UUID) -> None:
        """Her enrolment is told again, or somebody imports her (D36)."""
        contact, grants = self.first[chain_id]
        if self.chance.random() < 0.5:
            contact, grants = self.told[chain_id], [*Channel]
        await self.house.tell_contact(contact, enrolled_now=True, grants=grants)
        self._granted(chain_id, contact, grants)

    async def _contact(self, chain_id: UUID) -> None:
        """Another phone, another address, proved or not."""
        member = self.model.shops[chain_id].member
        member.phone = self.chance.choice(self.phones)
        member.email = self.chance.choice(self.emails)
        member.phone_proved = self.chance.random() < 0.8
        member.email_proved = self.chance.random() < 0.8
        contact = replace(
            self.told[chain_id],
            phone=member.phone,
            email=member.email,
            phone_verified=member.phone_proved,
            email_verified=member.email_proved,
            version=self.told[chain_id].version + 1,
        )
        self.told[chain_id] = contact
        await self.house.tell_contact(contact)

    # -- what the salon does -----------------------------------------------------------------

    async def _plan(self, chain_id: UUID) -> None:
        plan = self.chance.choice([*Plan])
        self.versions[chain_id] += 1
        shop = self.model.shops[chain_id]
        await self.house.tell_chain(
            ChainId(chain_id), sandbox=not shop.live, plan=plan, version=self.versions[chain_id]
        )
        shop.plan = plan.value

    async def _number(self, chain_id: UUID) -> None:
        """A number of its own, or back to the shared one."""
        shop, mine = self.model.shops[chain_id], ChainId(chain_id)
        if shop.own_number:
            await numbers.release_number(self.house.deps, mine, actor=OPERATOR)
            shop.own_number = ""
            return
        wanted = numbers.ProvisionNumber(
            chain_id=mine,
            number=self.own[[*self.model.shops].index(chain_id)],
            keyword="",
            actor=OPERATOR,
        )
        try:
            given = await numbers.provision_number(self.house.deps, wanted)
        except errors.ProRequired:
            assert shop.plan != "PRO"
            return
        assert shop.plan == "PRO"
        shop.own_number = given.number

    async def _code(self, chain_id: UUID) -> None:
        channel = self.chance.choice([*Channel])
        address = self.chance.choice(self.phones if channel is Channel.SMS else self.emails)
        await self.house.request_code(ChainId(chain_id), channel=channel, address=address)

    async def _service(self, chain_id: UUID) -> None:
        ledger = self.ledgers[chain_id]
        kind = self.chance.choice(("earn", "adjust", "tier", "expiring"))
        if kind == "earn":
            await ledger.earn(3)
        elif kind == "adjust":
            await ledger.adjust(-1)
        elif kind == "tier":
            await ledger.tier("Or")
        else:
            await ledger.expiring(1, "2026-12-06")

    async def _status(self, chain_id: UUID) -> None:
        contact = self.told[chain_id]
        try:
            await status.send_status(
                self.house.deps, contact.chain_id, contact.member_id, idempotency_key=str(uuid4())
            )
        except errors.MessageStopped:
            self.steps.append("  refused")

    async def _announce(self, chain_id: UUID) -> None:
        await sends.create(
            self.house.deps,
            sends.CreateSend(
                idempotency_key=str(uuid4()),
                fingerprint=b"",
                chain_id=ChainId(chain_id),
                offer_id=None,
                words=WORDS,
                audience=Audience(),
                send_at=None,
            ),
        )

    async def _birthday(self, chain_id: UUID) -> None:
        wanted = schedules.CreateScheduled(
            idempotency_key=str(uuid4()),
            fingerprint=b"",
            chain_id=ChainId(chain_id),
            days_before=0,
            offer_id=None,
            words=WORDS,
            enabled=True,
        )
        try:
            await schedules.create(self.house.deps, wanted)
        except errors.PlanRequired:
            assert self.model.shops[chain_id].plan == "PARTANT"
        await timely.run_due(self.house.deps, ChainId(chain_id))

    # -- what leaves -------------------------------------------------------------------------

    async def _drain(self, chain_id: UUID) -> None:
        """All that is due is tried: exactly what the model lets leave reaches the carrier."""
        due = await self.house.pool.fetch(
            """
            SELECT id, kind, address FROM delivery
            WHERE chain_id = $1 AND state = 'QUEUED' AND next_attempt_at <= $2
            """,
            chain_id,
            self.clock.now(),
        )
        may = {
            row["id"]: (row["kind"], row["address"])
            for row in due
            if self.model.may_leave(chain_id, row["kind"], row["address"])
        }
        tried, left = len(self.carrier.tried), len(self.carrier.left)
        while await sending.send_next(self.house.deps, chain_id=ChainId(chain_id)):
            pass
        new = {one.delivery_id: (one.kind.value, one.to) for one in self.carrier.tried[tried:]}
        assert new == may, (
            f"left, but may not: {new.items() - may.items()}; not: {may.keys() - new.keys()}"
        )
        assert len(new) == len(self.carrier.tried) - tried, "somebody got it twice"
        for one in self.carrier.tried[tried:]:
            if one.channel is Channel.SMS:
                self.model.wrote.add((chain_id, one.sender, one.to))
        sent = [one.delivery_id for one in self.carrier.left]
        assert len(set(sent)) == len(sent) >= left, "somebody got it twice"
