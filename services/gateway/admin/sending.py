""" "Envoyer": an offer or words to those who are ticked, what became of it, "Arrêter".

Rows LS-59, LS-60, LS-61, LS-63, SQ-51.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final

from fastapi import APIRouter, Response
from loyalty.messaging.v1 import messaging_pb2
from loyalty.messaging.v1.messaging_pb2 import (
    CreateSendRequest,
)
from loyalty.offers.v1.offers_pb2 import GetOfferRequest, Offer
from loyalty.points.v1.points_pb2 import ListProgramsRequest, Program
from loyalty.types.v1.types_pb2 import ProgramSection
from starlette.datastructures import FormData, UploadFile

from services.chassis.errors import RemoteRefusal
from services.gateway.admin import program_news
from services.gateway.admin.audience import (
    CHANNELS,
    FIELDS_MAX,
    LANGUAGES,
    Choice,
    Size,
    audience_of,
    size_of,
)
from services.gateway.admin.desk import Desk, ManagerDesk
from services.gateway.admin.fill_ins import ALWAYS, OF_AN_OFFER, fill_ins
from services.gateway.admin.preview import WORDS_AT, Preview, Words, previews_of
from services.gateway.admin.program_words import prepared
from services.gateway.admin.programs import program_of
from services.gateway.arriving import with_offer
from services.gateway.web import i18n
from services.gateway.web.forms import NO_PROBLEMS, Problems, new_key, problems_of
from services.gateway.web.i18n import N_
from services.gateway.web.speaker import Voice

router = APIRouter()

WARNINGS: Final = {
    "offer_not_started": N_(
        "L'application ne montre cette offre qu'à partir de sa date de début; "
        "le message part avant."
    ),
    "offer_ended": N_("Cette offre est terminée: personne ne peut plus la prendre."),
    "salon_name_missing": N_("Le message ne dit pas le nom du salon: vos clients le cherchent."),
}
_SHOWN: Final = {name: name for name in ("send_at", "member_ids", "filter")} | WORDS_AT


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a message is about: an offer, a program that changed, or whatever she writes."""

    offer_id: str = ""
    program: Program | None = None
    # The newest change that the message tells of.
    up_to: int = 0

    @property
    def kind(self) -> messaging_pb2.MessageKind.ValueType:
        """What its deliveries are."""
        if self.offer_id:
            return messaging_pb2.MESSAGE_KIND_OFFER
        return messaging_pb2.MESSAGE_KIND_ANNOUNCEMENT

    @property
    def here(self) -> str:
        """The menu entry that its page belongs to."""
        if self.program is not None:
            return "programs"
        return "offers" if self.offer_id else "sends"


WORDS_ONLY: Final = Subject()


async def offer_of(desk: Desk, offer_id: str) -> Offer | None:
    """The offer that a message is about, if it is about one."""
    if not offer_id:
        return None
    request = GetOfferRequest(chain_id=desk.chain_id, offer_id=offer_id)
    return (await desk.deps.clients.offers.GetOffer(request)).offer


async def _show(
    desk: Desk,
    subject: Subject,
    choice: Choice,
    *,
    cursor: str = "",
    preview: bool = False,
    problems: Problems = NO_PROBLEMS,
) -> Response:
    clients = desk.deps.clients
    offer = await offer_of(desk, subject.offer_id)
    audience = await audience_of(desk, choice, cursor=cursor, offer_id=subject.offer_id)
    programs = await clients.points.ListPrograms(ListProgramsRequest(chain_id=desk.chain_id))
    if preview and not problems:
        shown, problems = await previews_of(
            desk, subject.kind, *_words(choice), offer_id=subject.offer_id, choice=choice
        )
    else:
        shown = []
    return desk.show(
        "send.html",
        here=subject.here,
        problems=problems,
        offer=offer,
        program=subject.program,
        up_to=subject.up_to,
        choice=choice,
        audience=audience,
        page_cursor=cursor,
        tiers=[(tier.id, tier.name) for one in programs.programs for tier in one.tiers],
        salons=[(salon.id, salon.name) for salon in await desk.salons()],
        channels=CHANNELS,
        languages=LANGUAGES,
        months=i18n.month_names(desk.language),
        previews=shown,
        cost=cost_of(shown, audience.size),
        names=fill_ins(desk, OF_AN_OFFER if offer else ALWAYS),
        key=choice.text("k") or new_key(),
    )


def cost_of(shown: Sequence[Preview], size: Size) -> int:
    """How many texts would leave in all: what each language's takes, to those who read it."""
    return sum(
        one.segments * size.members(by_text=True, language=one.language)
        for one in shown
        if one.by_text
    )


@router.get("/admin/offers/{offer_id}/send")
async def send_offer_page(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Envoyer": the list of all clients, each ticked (LS-59)."""
    return await _show(desk, Subject(offer_id=offer_id), Choice())


@router.post("/admin/offers/{offer_id}/send")
async def send_offer(desk: ManagerDesk, offer_id: str) -> Response:
    """A filter, a page, a preview, or "Envoyer offre" (LS-60, LS-61)."""
    return await _step(desk, Subject(offer_id=offer_id), await _choice(desk))


@router.get("/admin/sends/new")
async def send_words_page(desk: ManagerDesk) -> Response:
    """An announcement: words only, to all clients or some (SQ-51)."""
    return await _show(desk, WORDS_ONLY, Choice())


@router.post("/admin/sends/new")
async def send_words(desk: ManagerDesk) -> Response:
    """Same steps as for an offer."""
    return await _step(desk, WORDS_ONLY, await _choice(desk))


@router.get("/admin/programs/{program_id}/tell")
async def tell_page(desk: ManagerDesk, program_id: str) -> Response:
    """The message that is prepared after a save, in both languages; hers to change (SQ-51)."""
    subject, sections = await _changed(desk, program_id)
    return await _show(desk, subject, await _proposal(desk, subject, sections), preview=True)


@router.post("/admin/programs/{program_id}/tell")
async def tell(desk: ManagerDesk, program_id: str) -> Response:
    """Same steps as for an offer; once it is sent, it is proposed no more."""
    choice = await _choice(desk)
    program = await program_of(desk, program_id)
    return await _step(desk, Subject(program=program, up_to=choice.number("up_to") or 0), choice)


async def _changed(
    desk: Desk, program_id: str
) -> tuple[Subject, Sequence[ProgramSection.ValueType]]:
    program = await program_of(desk, program_id)
    notice = await program_news.untold(desk, program.id)
    if notice is None:
        return Subject(program=program), ()
    return Subject(program=program, up_to=notice.up_to), list(notice.sections)


async def _proposal(
    desk: Desk, subject: Subject, sections: Sequence[ProgramSection.ValueType]
) -> Choice:
    """The form as she finds it, with the words of the change in both languages."""
    if subject.program is None:
        return Choice()
    fields: list[tuple[str, str | UploadFile]] = []
    for language, prefix in (("fr", ""), ("en", "english_")):
        voice = Voice(deps=desk.deps, chain=desk.chain, language=language)
        words = await prepared(voice, subject.program, sections)
        fields += [
            (f"{prefix}sms_body", words.sms_body),
            (f"{prefix}email_subject", words.email_subject),
            (f"{prefix}email_body", words.email_body),
        ]
    return Choice(FormData(fields))


async def _choice(desk: Desk) -> Choice:
    return Choice(await desk.request.form(max_files=0, max_fields=FIELDS_MAX))


def _words(choice: Choice) -> tuple[Words, Words]:
    """What all read, and what those read who chose English."""
    return Words.read(choice.text), Words.read(choice.text, "english_")


async def _step(desk: Desk, subject: Subject, choice: Choice) -> Response:
    step = choice.text("go")
    if step == "confirmed":
        return await _send(desk, subject, choice)
    if step == "send":
        return await _ask(desk, subject, choice)
    # Another filter begins the list anew; a preview leaves it where it is.
    here = choice.text("cursor")
    cursor = {"next": choice.text("next"), "preview": here, "back": here}.get(step, "")
    return await _show(desk, subject, choice, cursor=cursor, preview=step == "preview")


async def _ask(desk: Desk, subject: Subject, choice: Choice) -> Response:
    """The question before it leaves: to how many, by which channel, at what cost, who had it."""
    at, problems = _send_at(desk, choice)
    cursor = choice.text("cursor")
    if problems:
        return await _show(desk, subject, choice, cursor=cursor, problems=problems)
    size = await size_of(desk, choice, offer_id=subject.offer_id)
    if not size.chosen:
        problems = Problems(form=desk.say("Personne n'est coché. Cochez au moins un client."))
        return await _show(desk, subject, choice, cursor=cursor, problems=problems)
    shown, problems = await previews_of(
        desk,
        subject.kind,
        *_words(choice),
        offer_id=subject.offer_id,
        choice=choice,
    )
    if problems:
        return await _show(desk, subject, choice, cursor=cursor, problems=problems)
    return desk.show(
        "send_confirm.html",
        here=subject.here,
        offer=await offer_of(desk, subject.offer_id),
        choice=choice,
        size=size,
        previews=shown,
        cost=cost_of(shown, size),
        at=at,
        unreachable=size.chosen - size.texts - size.emails,
    )


def _send_at(desk: Desk, choice: Choice) -> tuple[datetime | None, Problems]:
    """The moment that she typed, by the salon's clock; None = now."""
    wanted = choice.text("send_at")
    if not wanted:
        return None, NO_PROBLEMS
    at = moment_of(wanted, desk.zone)
    if at is None:
        words = desk.say("Choisissez un jour et une heure, ou laissez vide pour maintenant.")
        return None, Problems(fields={"send_at": words})
    return at, NO_PROBLEMS


def moment_of(wanted: str, zone: tzinfo) -> datetime | None:
    """What a box for day and hour says, by a clock of this zone; None where no calendar has it."""
    try:
        at = datetime.fromisoformat(wanted).replace(tzinfo=zone)
        # The last hours of the year 9999 have no moment in UTC.
        at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at


async def _send(desk: Desk, subject: Subject, choice: Choice) -> Response:
    words, english = _words(choice)
    request = CreateSendRequest(
        idempotency_key=choice.key,
        chain_id=desk.chain_id,
        offer_id=subject.offer_id,
        filter=choice.filter,
        excluded_member_ids=choice.excluded,
        member_ids=choice.only,
        sms_body=words.sms_body,
        email_subject=words.email_subject,
        email_body=words.email_body,
        english=english.sent,
        actor=desk.principal.actor,
    )
    at, problems = _send_at(desk, choice)
    if problems:
        return await _show(desk, subject, choice, problems=problems)
    if at is not None:
        request.send_at.FromDatetime(at)
    try:
        answer = await with_offer(
            desk.deps,
            desk.chain_id,
            request.offer_id,
            desk.deps.clients.messaging.CreateSend,
            request,
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return await _show(desk, subject, choice, cursor=choice.text("cursor"), problems=problems)
    if subject.program is not None and subject.up_to:
        await program_news.mark_told(desk, subject.program.id, up_to=subject.up_to)
    warnings = [one for one in answer.warnings if one in WARNINGS]
    return desk.go(f"sends/{answer.send.id}", **({"warning": warnings[0]} if warnings else {}))
