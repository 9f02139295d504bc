""" "Mon compte": who she is, what she agreed to, and signing out (LS-78, LS-79, D26)."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import GetMemberRequest, Member, UpdateMemberRequest
from loyalty.messaging.v1.messaging_pb2 import (
    GetConsentsRequest,
    GetSenderNumberRequest,
    SetEmailConsentRequest,
)
from loyalty.types.v1.types_pb2 import CHANNEL_EMAIL, CHANNEL_SMS

from services.chassis.errors import RemoteRefusal
from services.gateway.clients import Clients
from services.gateway.member.door import MemberDep, PageRoute, Visit
from services.gateway.member.install import phone_kind
from services.gateway.web import i18n
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    own_birthday,
    problems_of,
    read_fields,
)
from services.gateway.web.render import keep_language

router = APIRouter(route_class=PageRoute, include_in_schema=False)

CONSENT_WORDING = "account-1"
NEWS_TRIES_MAX = 6
NEWS_SECONDS = 0.5
ACCOUNT_FIELDS = {
    "given_name": "given_name",
    "family_name": "family_name",
    "birthday": "birthday",
    "phone": "phone",
    "email": "email",
}


async def _member(clients: Clients, visit: Visit) -> Member:
    request = GetMemberRequest(chain_id=visit.chain.id, member_id=visit.member_id)
    return (await clients.enrollment.GetMember(request)).member


async def _granted(clients: Clients, visit: Visit) -> dict[int, bool]:
    request = GetConsentsRequest(chain_id=visit.chain.id, member_id=visit.member_id)
    answer = await clients.messaging.GetConsents(request)
    return {consent.channel: consent.granted for consent in answer.consents}


async def _sender_number(clients: Clients, visit: Visit) -> str:
    """The number to text; none where the platform has no number yet."""
    try:
        request = GetSenderNumberRequest(chain_id=visit.chain.id)
        return (await clients.messaging.GetSenderNumber(request)).number
    except RemoteRefusal:
        return ""


async def _account_page(
    visit: Visit, *, said: Fields | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    clients = visit.deps.clients
    async with asyncio.TaskGroup() as group:
        member = group.create_task(_member(clients, visit))
        granted = group.create_task(_granted(clients, visit))
        number = group.create_task(_sender_number(clients, visit))
    person = member.result()
    return visit.show(
        "account.html",
        problems=problems,
        person=person,
        phone=i18n.format_phone(person.phone),
        said=said or _as_fields(person),
        email_consent=granted.result().get(CHANNEL_EMAIL, False),
        sms_consent=granted.result().get(CHANNEL_SMS, False),
        sender_number=number.result(),
        sender_spoken=i18n.format_phone(number.result()),
        key=new_key(),
        done=visit.request.query_params.get("done", ""),
    )


def _as_fields(person: Member) -> Fields:
    month, day = person.birthday[-5:].split("-") if person.birthday else ("", "")
    return Fields(
        given_name=person.given_name,
        family_name=person.family_name,
        birth_day=day.lstrip("0"),
        birth_month=month.lstrip("0"),
        language=i18n.language_name(person.language),
    )


@router.get("/m/{slug}/account")
async def account_page(visit: MemberDep) -> Response:
    """Her name, language and birthday, her consents, and the number that brings texts back."""
    return await _account_page(visit)


@router.post("/m/{slug}/account")
async def change_account(visit: MemberDep) -> Response:
    """Keep her name, language and birthday; what the form does not hold stays as it is."""
    fields = await read_fields(visit.request)
    language = fields["language"] if fields["language"] in i18n.LANGUAGES else visit.language
    request = UpdateMemberRequest(
        chain_id=visit.chain.id,
        member_id=visit.member_id,
        given_name=fields.text("given_name") if "given_name" in fields else None,
        family_name=fields.text("family_name") if "family_name" in fields else None,
        birthday=await _birthday(visit, fields) if "birth_day" in fields else None,
        language=i18n.language_value(language),
        actor=visit.signed_in.actor,
    )
    try:
        await visit.deps.clients.enrollment.UpdateMember(request)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language, shown=ACCOUNT_FIELDS)
        return await _account_page(visit, said=fields, problems=problems)
    response = visit.go("/account?done=saved")
    keep_language(visit.request, response, language)
    visit.deps.authenticator.forget(visit.token)
    return response


async def _birthday(visit: Visit, fields: Fields) -> str:
    """The chosen day; the lists hold no year, so one that the salon knows stays known."""
    chosen = own_birthday(fields["birth_day"], fields["birth_month"])
    known = (await _member(visit.deps.clients, visit)).birthday
    return known if chosen and known.endswith(chosen[2:]) else chosen


@router.post("/m/{slug}/account/consent")
async def change_email_consent(visit: MemberDep) -> Response:
    """Her own tick for e-mails; texts come back by her own text only (LS-78, LS-79)."""
    fields = await read_fields(visit.request)
    request = SetEmailConsentRequest(
        chain_id=visit.chain.id,
        member_id=visit.member_id,
        granted=bool(fields["email_consent"]),
        wording_version=CONSENT_WORDING,
        actor=visit.signed_in.actor,
    )
    for attempt in range(1, NEWS_TRIES_MAX + 1):
        try:
            await visit.deps.clients.messaging.SetEmailConsent(request)
        except RemoteRefusal as refusal:
            # Messaging hears of a new member by an event, a moment after she has joined.
            if refusal.code.upper() != "MEMBER_UNKNOWN":
                return await _account_page(visit, problems=problems_of(refusal, visit.language))
            if attempt < NEWS_TRIES_MAX:
                await asyncio.sleep(NEWS_SECONDS)
        else:
            return visit.go("/account?done=consent")
    words = visit.say("Votre inscription est encore en chemin. Réessayez dans un instant.")
    return await _account_page(visit, problems=Problems(form=words, status=503))


@router.get("/m/{slug}/account/consent")
async def consent_takes_a_form(visit: MemberDep) -> Response:
    """A link changes no consent."""
    return visit.go("/account")


@router.get("/m/{slug}/install")
async def install_page(visit: MemberDep) -> Response:
    """How to put the app on this phone's home screen, at any later time (LS-22)."""
    return visit.show("install.html", phone=phone_kind(visit.request))
