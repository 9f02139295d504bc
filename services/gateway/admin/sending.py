""" "Envoyer": an offer or words to those who are ticked, what became of it, "Arrêter".

Rows LS-59, LS-60, LS-61, LS-63, SQ-51.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from fastapi import APIRouter, Response
from loyalty.messaging.v1 import messaging_pb2
from loyalty.messaging.v1.messaging_pb2 import (
    CreateSendRequest,
    GetSendRequest,
    ListSendsRequest,
    Send,
    StopSendRequest,
)
from loyalty.offers.v1.offers_pb2 import GetOfferRequest, ListOffersRequest, Offer
from loyalty.points.v1.points_pb2 import ListProgramsRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.audience import (
    CHANNELS,
    FIELDS_MAX,
    LANGUAGES,
    Choice,
    audience_of,
)
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.preview import Words, previews_of
from services.gateway.arriving import with_offer
from services.gateway.web import i18n
from services.gateway.web.forms import NO_PROBLEMS, Problems, new_key, problems_of
from services.gateway.web.i18n import N_

router = APIRouter()

SENDS_SHOWN: Final = 50
STATUSES: Final = {
    messaging_pb2.SEND_STATUS_SCHEDULED: N_("Planifié"),
    messaging_pb2.SEND_STATUS_SENDING: N_("En cours"),
    messaging_pb2.SEND_STATUS_DONE: N_("Terminé"),
    messaging_pb2.SEND_STATUS_STOPPED: N_("Arrêté"),
}
UNDER_WAY: Final = (messaging_pb2.SEND_STATUS_SCHEDULED, messaging_pb2.SEND_STATUS_SENDING)
WARNINGS: Final = {
    "offer_not_started": N_(
        "L'application ne montre cette offre qu'à partir de sa date de début; "
        "le message part avant."
    ),
    "salon_name_missing": N_("Le message ne dit pas le nom du salon: vos clients le cherchent."),
}
_SHOWN: Final = {
    name: name
    for name in ("send_at", "sms_body", "email_subject", "email_body", "member_ids", "filter")
}


async def _offer_of(desk: Desk, offer_id: str) -> Offer | None:
    if not offer_id:
        return None
    request = GetOfferRequest(chain_id=desk.chain_id, offer_id=offer_id)
    return (await desk.deps.clients.offers.GetOffer(request)).offer


async def _show(
    desk: Desk,
    offer_id: str,
    choice: Choice,
    *,
    cursor: str = "",
    preview: bool = False,
    problems: Problems = NO_PROBLEMS,
) -> Response:
    clients = desk.deps.clients
    offer = await _offer_of(desk, offer_id)
    audience = await audience_of(desk, choice, cursor=cursor)
    programs = await clients.points.ListPrograms(ListProgramsRequest(chain_id=desk.chain_id))
    kind = messaging_pb2.MESSAGE_KIND_OFFER if offer_id else messaging_pb2.MESSAGE_KIND_ANNOUNCEMENT
    words = Words(
        sms_body=choice.text("sms_body"),
        email_subject=choice.text("email_subject"),
        email_body=choice.text("email_body"),
    )
    if preview and not problems:
        shown, problems = await previews_of(desk, kind, words)
    else:
        shown = []
    return desk.show(
        "send.html",
        here="offers" if offer_id else "sends",
        problems=problems,
        offer=offer,
        choice=choice,
        audience=audience,
        page_cursor=cursor,
        tiers=[(tier.id, tier.name) for one in programs.programs for tier in one.tiers],
        salons=[(salon.id, salon.name) for salon in await desk.salons()],
        channels=CHANNELS,
        languages=LANGUAGES,
        months=i18n.month_names(desk.language),
        previews=shown,
        key=choice.text("k") or new_key(),
    )


@router.get("/admin/offers/{offer_id}/send")
async def send_offer_page(desk: ManagerDesk, offer_id: str) -> Response:
    """ "Envoyer": the list of all clients, each ticked (LS-59)."""
    return await _show(desk, offer_id, Choice())


@router.post("/admin/offers/{offer_id}/send")
async def send_offer(desk: ManagerDesk, offer_id: str) -> Response:
    """A filter, a page, a preview, or "Envoyer offre" (LS-60, LS-61)."""
    return await _step(desk, offer_id)


@router.get("/admin/sends/new")
async def send_words_page(desk: ManagerDesk) -> Response:
    """An announcement: words only, to all clients or some (SQ-51)."""
    return await _show(desk, "", Choice())


@router.post("/admin/sends/new")
async def send_words(desk: ManagerDesk) -> Response:
    """Same steps as for an offer."""
    return await _step(desk, "")


async def _step(desk: Desk, offer_id: str) -> Response:
    choice = Choice(await desk.request.form(max_files=0, max_fields=FIELDS_MAX))
    step = choice.text("go")
    if step == "send":
        return await _send(desk, offer_id, choice)
    # Another filter begins the list anew; a preview leaves it where it is.
    cursor = {"next": choice.text("next"), "preview": choice.text("cursor")}.get(step, "")
    return await _show(desk, offer_id, choice, cursor=cursor, preview=step == "preview")


async def _send(desk: Desk, offer_id: str, choice: Choice) -> Response:
    request = CreateSendRequest(
        idempotency_key=choice.key,
        chain_id=desk.chain_id,
        offer_id=offer_id,
        filter=choice.filter,
        excluded_member_ids=choice.excluded,
        sms_body=choice.text("sms_body"),
        email_subject=choice.text("email_subject"),
        email_body=choice.text("email_body"),
        actor=desk.principal.actor,
    )
    wanted = choice.text("send_at")
    if wanted:
        try:
            at = datetime.fromisoformat(wanted)
        except ValueError:
            words = desk.say("Choisissez un jour et une heure, ou laissez vide pour maintenant.")
            problems = Problems(fields={"send_at": words})
            return await _show(desk, offer_id, choice, problems=problems)
        request.send_at.FromDatetime(at.replace(tzinfo=desk.zone))
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
        return await _show(desk, offer_id, choice, cursor=choice.text("cursor"), problems=problems)
    warnings = [one for one in answer.warnings if one in WARNINGS]
    return desk.go(f"sends/{answer.send.id}", **({"warning": warnings[0]} if warnings else {}))


@router.get("/admin/sends")
async def sends(desk: DeskDep) -> Response:
    """Every send, the newest first, with what became of it."""
    clients = desk.deps.clients
    answer = await clients.messaging.ListSends(
        ListSendsRequest(
            chain_id=desk.chain_id,
            limit=SENDS_SHOWN,
            cursor=desk.request.query_params.get("cursor", ""),
        )
    )
    offers = await clients.offers.ListOffers(ListOffersRequest(chain_id=desk.chain_id))
    return desk.show(
        "sends.html",
        here="sends",
        sends=answer.sends,
        cursor=answer.cursor,
        titles={offer.id: offer.title for offer in offers.offers},
        statuses=_statuses(desk),
    )


def _statuses(desk: Desk) -> dict[int, str]:
    return {status: desk.say(words) for status, words in STATUSES.items()}


@router.get("/admin/sends/{send_id}")
async def send_page(desk: DeskDep, send_id: str) -> Response:
    """The report of one send; it renews itself while messages leave."""
    request = GetSendRequest(chain_id=desk.chain_id, send_id=send_id)
    send = (await desk.deps.clients.messaging.GetSend(request)).send
    warning = WARNINGS.get(desk.request.query_params.get("warning", ""), "")
    return desk.show(
        "send_report.html",
        here="sends",
        send=send,
        offer=await _offer_of(desk, send.offer_id),
        state=_statuses(desk).get(send.status, ""),
        under_way=send.status in UNDER_WAY,
        gone=_gone(send),
        warning=desk.say(warning) if warning else "",
    )


def _gone(send: Send) -> int:
    """How many of the chosen are done with, whatever became of them."""
    return max(0, send.report.chosen - send.report.queued)


@router.post("/admin/sends/{send_id}/stop")
async def stop_send(desk: ManagerDesk, send_id: str) -> Response:
    """ "Arrêter": what has not left does not leave."""
    await desk.deps.clients.messaging.StopSend(
        StopSendRequest(chain_id=desk.chain_id, send_id=send_id, actor=desk.principal.actor)
    )
    return desk.go(f"sends/{send_id}")
