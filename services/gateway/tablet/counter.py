"""The start of the counter: "Entrer" adds one point, a second button looks (LS-10 to LS-14)."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import EnrollMemberRequest, Member
from loyalty.points.v1.points_pb2 import Earned, EarnItem, TabletOrigin
from loyalty.types.v1.types_pb2 import ENROLLMENT_SOURCE_TABLET

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.program_notices import mark_read, notices_for
from services.gateway.live import event_stream
from services.gateway.member import holdings
from services.gateway.member.door import PageRoute
from services.gateway.member.earns import earn
from services.gateway.member.holdings import PointsCard
from services.gateway.member.join import JOIN_FIELDS, consents_of, missing_contact
from services.gateway.tablet.door import (
    Counter,
    CounterDep,
    InTurnDep,
    PresentDep,
    find_member,
    masked_address,
    masked_name,
    member_of,
)
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    contact_of,
    is_plausible,
    own_birthday,
    problems_of,
)
from services.gateway.web.i18n import language_value
from services.gateway.web.speaker import Voice

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@router.get("/t")
async def start_page(counter: CounterDep) -> Response:
    """The counter screen without sign-in: one field, one large button (LS-09)."""
    return await _start(counter, "")


@router.get("/t/")
@router.get("/t/enter")
@router.get("/t/join")
@router.get("/t/account")
@router.get("/t/rewards")
@router.get("/t/done")
async def only_forms(counter: CounterDep) -> Response:
    """A page that was loaded again by its address: the tablet is back at its start."""
    return counter.start()


@router.post("/t/done")
async def done(counter: CounterDep) -> Response:
    """ "Terminer", or a minute without a touch: the next member finds the salon's language."""
    return counter.finish()


@router.post("/t/enter")
async def enter(counter: InTurnDep) -> Response:
    """ "Entrer": exactly one point, or the form for somebody new. "Voir" only looks (D21)."""
    typed = counter.fields.text("contact")
    contact = contact_of(typed)
    if not is_plausible(contact):
        words = counter.say("Entrez un courriel ou un numéro de téléphone.")
        return await _start(counter, typed, Problems(fields={"contact": words}))
    try:
        member = await find_member(counter, contact)
    except RemoteRefusal as refusal:
        shown = dict.fromkeys(("phone", "email", "phones", "emails"), "contact")
        return await _start(counter, typed, problems_of(refusal, counter.language, shown=shown))
    if member is None:
        return _join_page(counter, Fields(phone=contact.phone, email=contact.email))
    present = replace(counter, member_id=member.id)
    if counter.fields["action"] == "look":
        return await _account_page(present, member)
    return await _earn_one(present, member)


async def _start(counter: Counter, typed: str, problems: Problems = NO_PROBLEMS) -> Response:
    """The start, with what the staff have not read yet (SQ-51)."""
    notices = await notices_for(_voice(counter), counter.tablet.actor.id)
    return counter.show("start.html", problems=problems, typed=typed, notices=notices)


def _voice(counter: Counter) -> Voice:
    return Voice(deps=counter.deps, chain=counter.chain, language=counter.language)


@router.post("/t/notice")
async def read_notice(counter: InTurnDep) -> Response:
    """ "J'ai lu": the notice is gone from this tablet; other tablets and the panel keep it."""
    await mark_read(_voice(counter), counter.tablet.actor.id, counter.fields)
    return counter.start()


async def _earn_one(counter: Counter, member: Member) -> Response:
    """One point, by the key that was made with the page: a second press of it adds none."""
    item = EarnItem(
        idempotency_key=counter.fields.key,
        chain_id=counter.chain.id,
        member_id=member.id,
        program_id=counter.tablet.program_id,
        salon_id=counter.salon_id,
        actor=counter.tablet.actor,
        session_id=counter.tablet.session_id,
        tablet=TabletOrigin(),
    )
    try:
        earned = await earn(counter.deps, item)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, counter.language)
        return await _account_page(counter, member, problems=problems)
    return await _account_page(counter, member, earned=earned)


async def _cards(counter: Counter) -> list[PointsCard]:
    """Her card in the tablet's program first, then the others."""
    cards = await holdings.points_cards(counter.deps.clients, counter.chain.id, counter.member_id)
    return sorted(cards, key=lambda card: card.program.id != counter.tablet.program_id)


async def _account_page(
    counter: Counter,
    member: Member,
    *,
    earned: Earned | None = None,
    problems: Problems = NO_PROBLEMS,
    joined: bool = False,
) -> Response:
    wallet = await holdings.wallet_of(counter.deps.clients, counter.chain.id, counter.member_id)
    return counter.show(
        "account.html",
        problems=problems,
        name=masked_name(member),
        address=masked_address(member),
        cards=await _cards(counter),
        rewards_to_use=len(wallet),
        earned=earned,
        joined=joined,
    )


@router.post("/t/account")
async def account(counter: PresentDep) -> Response:
    """Her balance and what it affords, without adding anything (LS-12)."""
    return await _account_page(counter, await member_of(counter))


def _join_page(counter: Counter, said: Fields, *, problems: Problems = NO_PROBLEMS) -> Response:
    return counter.show("join.html", problems=problems, said=said)


@router.post("/t/join")
async def join(counter: InTurnDep) -> Response:
    """Somebody new joins right here, and this visit counts: it ends with one point (LS-10)."""
    fields = counter.fields
    problems = missing_contact(fields, counter.language)
    if problems:
        return _join_page(counter, fields, problems=problems)
    try:
        answer = await counter.deps.clients.enrollment.EnrollMember(
            EnrollMemberRequest(
                idempotency_key=fields.key,
                chain_id=counter.chain.id,
                phone=fields.text("phone"),
                email=fields.text("email"),
                given_name=fields.text("given_name"),
                family_name=fields.text("family_name"),
                birthday=own_birthday(fields["birth_day"], fields["birth_month"]),
                language=language_value(counter.language),
                source=ENROLLMENT_SOURCE_TABLET,
                salon_id=counter.salon_id,
                consents=consents_of(fields),
                actor=counter.tablet.actor,
            )
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, counter.language, shown=JOIN_FIELDS)
        return _join_page(counter, fields, problems=problems)
    return await _earn_one(replace(counter, member_id=answer.member.id), answer.member)


@router.post("/t/live")
async def live(counter: PresentDep) -> Response:
    """News of the member at the counter. A form, so that she stands in no address."""
    return event_stream(counter.deps.live, counter.member_id)
