""" "Messages planifiés": birthday wishes that leave by themselves (LS-64 to LS-70)."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Response
from loyalty.messaging.v1 import messaging_pb2
from loyalty.messaging.v1.messaging_pb2 import (
    CreateScheduledMessageRequest,
    DeleteScheduledMessageRequest,
    ListScheduledMessagesRequest,
    MessageTemplate,
    ScheduledMessage,
    SendWords,
    UpdateScheduledMessageRequest,
    WordsChange,
)
from loyalty.offers.v1.offers_pb2 import ListOffersRequest, Offer
from loyalty.types.v1 import types_pb2

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.audience import FIELDS_MAX, Choice
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.fill_ins import OF_AN_OFFER, fill_ins
from services.gateway.admin.preview import PARTS, WORDS_AT, Preview, Words, preview_of, previews_of
from services.gateway.arriving import with_offer
from services.gateway.errors import ApiError
from services.gateway.web.forms import NO_PROBLEMS, Problems, new_key, problems_of
from services.gateway.web.i18n import format_date

router = APIRouter()

DAYS_MAX: Final = 365
_FIELDS: Final = ("days_before", "offer_id", *WORDS_AT.values())
_SHOWN: Final = {"days_before": "days_before", "offer_id": "offer_id", **WORDS_AT}


async def _messages(desk: Desk) -> tuple[list[ScheduledMessage], bool]:
    answer = await desk.deps.clients.messaging.ListScheduledMessages(
        ListScheduledMessagesRequest(chain_id=desk.chain_id)
    )
    return list(answer.messages), answer.allowed


async def _titles(desk: Desk) -> dict[str, str]:
    request = ListOffersRequest(chain_id=desk.chain_id)
    offers = (await desk.deps.clients.offers.ListOffers(request)).offers
    return {offer.id: offer.title for offer in offers}


async def _choices(desk: Desk, chosen: str) -> list[tuple[str, str]]:
    """The offers with their days, for two may have one title; without those that are over."""
    request = ListOffersRequest(chain_id=desk.chain_id)
    offers = (await desk.deps.clients.offers.ListOffers(request)).offers
    return [
        (
            offer.id,
            desk.say(
                "%(name)s (du %(start)s au %(end)s)",
                name=offer.title,
                start=format_date(offer.start_date, desk.language),
                end=format_date(offer.end_date, desk.language),
            ),
        )
        for offer in offers
        if offer.stage != Offer.STAGE_OVER or offer.id == chosen
    ]


async def _as_read(desk: Desk, message: ScheduledMessage) -> str:
    """Its words with an example's name in them: the text, else the e-mail's subject."""
    english = message.english
    words: ScheduledMessage | SendWords = message
    in_english = desk.language == "en" or not (message.sms_body or message.email_body)
    if in_english and (english.sms_body or english.email_body):
        words = english
    by_text = bool(words.sms_body)
    template = MessageTemplate(
        kind=messaging_pb2.MESSAGE_KIND_BIRTHDAY,
        channel=types_pb2.CHANNEL_SMS if by_text else types_pb2.CHANNEL_EMAIL,
        language=types_pb2.LANGUAGE_EN if words is english else types_pb2.LANGUAGE_FR,
        subject=words.email_subject,
        body=words.sms_body or words.email_body,
    )
    if not template.body:
        return ""
    try:
        shown = await preview_of(desk, template)
    except RemoteRefusal:
        return words.sms_body or words.email_subject
    return shown.body if by_text else shown.subject


@router.get("/admin/scheduled")
async def scheduled(desk: DeskDep) -> Response:
    """What leaves by itself, with "Créer un message planifié" in the blue bar (LS-65)."""
    messages, allowed = await _messages(desk)
    return desk.show(
        "scheduled.html",
        here="scheduled",
        messages=messages,
        said=await asyncio.gather(*(_as_read(desk, message) for message in messages)),
        allowed=allowed,
        titles=await _titles(desk),
    )


async def _form(
    desk: Desk,
    said: dict[str, str],
    *,
    message_id: str = "",
    preview: bool = False,
    problems: Problems = NO_PROBLEMS,
) -> Response:
    previews: list[Preview] = []
    if preview and not problems:
        previews, problems = await previews_of(
            desk, messaging_pb2.MESSAGE_KIND_BIRTHDAY, *_words(said), offer_id=said["offer_id"]
        )
    return desk.show(
        "scheduled_message.html",
        here="scheduled",
        problems=problems,
        said=said,
        message_id=message_id,
        offers=await _choices(desk, said["offer_id"]),
        names=fill_ins(desk, OF_AN_OFFER),
        previews=previews,
        key=said.get("k") or new_key(),
    )


def _plan_problem(desk: Desk) -> Problems:
    error = ApiError.of("PLAN_REQUIRED")
    return Problems(form=error.told(desk.language), status=error.status)


@router.get("/admin/scheduled/new")
async def new_message(desk: ManagerDesk) -> Response:
    """Type "Anniversaire", on the day itself unless another number is written (LS-66)."""
    _messages_there, allowed = await _messages(desk)
    said = dict.fromkeys(_FIELDS, "") | {"days_before": "0", "enabled": "1"}
    return await _form(desk, said, problems=NO_PROBLEMS if allowed else _plan_problem(desk))


def _words(said: dict[str, str]) -> tuple[Words, Words]:
    """What all read, and what those read who chose English."""
    return Words.read(said.__getitem__), Words.read(said.__getitem__, "english_")


async def _said(desk: Desk) -> tuple[Choice, dict[str, str]]:
    choice = Choice(await desk.request.form(max_files=0, max_fields=FIELDS_MAX))
    return choice, {name: choice.text(name) for name in (*_FIELDS, "enabled", "k")}


def _days(desk: Desk, said: dict[str, str]) -> tuple[int, Problems]:
    typed = said["days_before"]
    if typed.isascii() and typed.isdigit() and int(typed[:9]) <= DAYS_MAX and len(typed) <= 9:
        return int(typed), NO_PROBLEMS
    words = desk.say("Entrez un nombre de jours de 0 à 365; 0 est le jour même.")
    return 0, Problems(fields={"days_before": words})


@router.post("/admin/scheduled/new")
async def create_message(desk: ManagerDesk) -> Response:
    """ "Sauvegarder" of a new message, or its preview (LS-65 to LS-70)."""
    choice, said = await _said(desk)
    if choice.text("go") == "preview":
        return await _form(desk, said, preview=True)
    days, problems = _days(desk, said)
    if problems:
        return await _form(desk, said, problems=problems)
    try:
        await with_offer(
            desk.deps,
            desk.chain_id,
            said["offer_id"],
            desk.deps.clients.messaging.CreateScheduledMessage,
            CreateScheduledMessageRequest(
                idempotency_key=choice.key,
                chain_id=desk.chain_id,
                message=ScheduledMessage(
                    type=messaging_pb2.SCHEDULED_MESSAGE_TYPE_BIRTHDAY,
                    days_before=days,
                    offer_id=said["offer_id"],
                    sms_body=said["sms_body"],
                    email_subject=said["email_subject"],
                    email_body=said["email_body"],
                    enabled=said["enabled"] == "1",
                    english=_words(said)[1].sent,
                ),
                actor=desk.principal.actor,
            ),
        )
    except RemoteRefusal as refusal:
        return await _form(desk, said, problems=problems_of(refusal, desk.language, shown=_SHOWN))
    return desk.go("scheduled", done="created")


async def _message(desk: Desk, message_id: str) -> ScheduledMessage:
    for message in (await _messages(desk))[0]:
        if message.id == message_id:
            return message
    raise ApiError.of("NOT_FOUND")


@router.get("/admin/scheduled/{message_id}")
async def message_page(desk: ManagerDesk, message_id: str) -> Response:
    """ "Modifier" of one message."""
    message = await _message(desk, message_id)
    said = {"days_before": str(message.days_before), "offer_id": message.offer_id}
    for prefix, words in (("", message), ("english_", message.english)):
        said |= {f"{prefix}{part}": getattr(words, part) for part in PARTS}
    said["enabled"] = "1" if message.enabled else ""
    return await _form(desk, said, message_id=message.id)


@router.post("/admin/scheduled/{message_id}")
async def save_message(desk: ManagerDesk, message_id: str) -> Response:
    """ "Sauvegarder" of a change."""
    choice, said = await _said(desk)
    if choice.text("go") == "preview":
        return await _form(desk, said, message_id=message_id, preview=True)
    days, problems = _days(desk, said)
    if problems:
        return await _form(desk, said, message_id=message_id, problems=problems)
    try:
        await with_offer(
            desk.deps,
            desk.chain_id,
            said["offer_id"],
            desk.deps.clients.messaging.UpdateScheduledMessage,
            UpdateScheduledMessageRequest(
                chain_id=desk.chain_id,
                message_id=message_id,
                days_before=days,
                offer_id=said["offer_id"],
                sms_body=said["sms_body"],
                email_subject=said["email_subject"],
                email_body=said["email_body"],
                enabled=said["enabled"] == "1",
                english=WordsChange(
                    sms_body=said["english_sms_body"],
                    email_subject=said["english_email_subject"],
                    email_body=said["english_email_body"],
                ),
                actor=desk.principal.actor,
            ),
        )
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, desk.language, shown=_SHOWN)
        return await _form(desk, said, message_id=message_id, problems=problems)
    return desk.go("scheduled", done="saved")


@router.get("/admin/scheduled/{message_id}/delete")
async def ask_delete(desk: ManagerDesk, message_id: str) -> Response:
    """The question before a message goes."""
    message = await _message(desk, message_id)
    return desk.show("scheduled_delete.html", here="scheduled", message=message)


@router.post("/admin/scheduled/{message_id}/delete")
async def delete_message(desk: ManagerDesk, message_id: str) -> Response:
    """ "Supprimer": nothing more leaves by it."""
    await desk.deps.clients.messaging.DeleteScheduledMessage(
        DeleteScheduledMessageRequest(
            chain_id=desk.chain_id, message_id=message_id, actor=desk.principal.actor
        )
    )
    return desk.go("scheduled", done="deleted")
