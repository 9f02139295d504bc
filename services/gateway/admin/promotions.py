""" "Promotions" of a program: for a time, more points than the base gives."""

from __future__ import annotations

import asyncio
import re
from datetime import date, timedelta
from typing import Final

from fastapi import APIRouter, Response
from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import (
    CancelPromotionRequest,
    CreatePromotionRequest,
    GetPromotionRequest,
    ListPromotionsRequest,
    Promotion,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.admin import program_news
from services.gateway.admin.catalog import catalog_of
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.programs import program_of
from services.gateway.errors import ApiError
from services.gateway.ladder import decimal_words
from services.gateway.web import i18n
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    amount_minor,
    new_key,
    problems_of,
    read_fields,
    whole_number,
)
from services.gateway.web.i18n import N_
from services.gateway.web.speaker import Speaker

router = APIRouter()

SHOWN_MAX: Final = 30
RUNNING: Final = (points_pb2.PROMOTION_STATUS_SCHEDULED, points_pb2.PROMOTION_STATUS_ACTIVE)
STATUSES: Final = {
    points_pb2.PROMOTION_STATUS_SCHEDULED: N_("prévue"),
    points_pb2.PROMOTION_STATUS_ACTIVE: N_("en cours"),
    points_pb2.PROMOTION_STATUS_ENDED: N_("terminée"),
    points_pb2.PROMOTION_STATUS_CANCELED: N_("arrêtée"),
}
# RFC 5545's days in the order of a week.
DAYS: Final = (
    ("MO", N_("lundi")),
    ("TU", N_("mardi")),
    ("WE", N_("mercredi")),
    ("TH", N_("jeudi")),
    ("FR", N_("vendredi")),
    ("SA", N_("samedi")),
    ("SU", N_("dimanche")),
)
_MULTIPLIER: Final = re.compile(r"[0-9]{1,2}(?:[.,][0-9]{1,3})?")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_STARTS: Final = re.compile(r"DTSTART[^:]*:[0-9]{8}T([0-9]{2})([0-9]{2})")
_ENDS: Final = re.compile(r"DTEND[^:]*:[0-9]{8}T([0-9]{2})([0-9]{2})")
_LASTS: Final = re.compile(r"DURATION:PT(?:([0-9]{1,2})H)?(?:([0-9]{1,4})M)?\s*$", re.MULTILINE)
_ON: Final = re.compile(
    r"BYDAY=((?:MO|TU|WE|TH|FR|SA|SU)(?:,(?:MO|TU|WE|TH|FR|SA|SU))*)\s*(?:;|$)", re.MULTILINE
)
_WEEKLY_FROM: Final = re.compile(r"DTSTART[^:]*:([0-9]{8}).*FREQ=WEEKLY", re.DOTALL)
# So many times of a promotion are told one by one.
PERIODS_SHOWN_MAX: Final = 3
_SHOWN: Final = {
    "name": "name",
    "incentive": "value",
    "multiplier": "value",
    "trigger_limit": "times",
    "minimum_spend_amount_money": "minimum",
    "qualifying_item_variation_ids": "qualifying",
    "available_time.time_periods": "start",
}


async def promotions_of(desk: Speaker, program_id: str) -> list[Promotion]:
    """The newest promotions of a program, planned and running ones among them."""
    answer = await desk.deps.clients.points.ListPromotions(
        ListPromotionsRequest(chain_id=desk.chain_id, program_id=program_id, limit=SHOWN_MAX)
    )
    return list(answer.promotions)


def incentive_words(desk: Speaker, promotion: Promotion) -> str:
    """What it gives: "points × 2" or "5 points de plus"."""
    if promotion.HasField("addition"):
        return desk.count("%(num)s point de plus", "%(num)s points de plus", promotion.addition)
    multiplier = decimal_words(promotion.multiplier, desk.language)
    return desk.say(N_("points × %(multiplier)s"), multiplier=multiplier)


def when_words(desk: Speaker, promotion: Promotion) -> list[str]:
    """Its days and hours, as far as they can be said in a line."""
    first, last = promotion.start_date, promotion.end_date
    begin = i18n.format_date(first, desk.language) if first else ""
    lines = [desk.say(N_("dès le %(day)s"), day=begin)]
    if last:
        end = i18n.format_date(last, desk.language)
        lines = [desk.say(N_("du %(first)s au %(last)s"), first=begin, last=end)]
    if len(promotion.periods) > PERIODS_SHOWN_MAX:
        return [*lines, desk.say(N_("à plusieurs moments"))]
    told = (_period_words(desk, period) for period in promotion.periods)
    return [*lines, *dict.fromkeys(words for words in told if words)]


def _period_words(desk: Speaker, period: str) -> str:
    """Its days of the week and its hours: "mardi, mercredi de 10:00 à 14:00"."""
    parts = []
    if days := days_of(period):
        named = dict(DAYS)
        parts.append(", ".join(desk.say(named[day]) for day in days))
    if hours := hours_of(period):
        parts.append(desk.say(N_("de %(first)s à %(last)s"), first=hours[0], last=hours[1]))
    return " ".join(parts)


def days_of(period: str) -> list[str]:
    """On which days it repeats; none where that is every day, or no matter of the week."""
    if days := _ON.search(period):
        return days[1].split(",")
    if weekly := _WEEKLY_FROM.search(period):
        first = date(int(weekly[1][:4]), int(weekly[1][4:6]), int(weekly[1][6:]))
        return [DAYS[first.weekday()][0]]
    return []


def hours_of(period: str) -> tuple[str, str] | None:
    """From when to when on a day; None where it is the whole day or more than a line can say."""
    starts, ends, lasts = (each.search(period) for each in (_STARTS, _ENDS, _LASTS))
    if starts is None or (ends is None and lasts is None):
        return None
    begin = f"{starts[1]}:{starts[2]}"
    if ends is not None:
        end = f"{ends[1]}:{ends[2]}"
    else:
        minutes = int(starts[1]) * 60 + int(starts[2])
        minutes += int((lasts and lasts[1]) or 0) * 60 + int((lasts and lasts[2]) or 0)
        end = f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"
    return None if begin == end else (begin, end)


@router.get("/admin/programs/{program_id}/promotions")
async def promotions_page(desk: DeskDep, program_id: str) -> Response:
    """Every promotion with its status."""
    program = await program_of(desk, program_id)
    found = await promotions_of(desk, program.id)
    return desk.show(
        "promotions.html",
        here="programs",
        program=program,
        promotions=[
            (
                each,
                desk.say(STATUSES.get(each.status, "")),
                incentive_words(desk, each),
                when_words(desk, each),
                each.status in RUNNING,
            )
            for each in found
        ],
        active=points_pb2.PROMOTION_STATUS_ACTIVE,
        untold=await program_news.untold(desk, program.id),
    )


async def _form(
    desk: Desk, program_id: str, fields: Fields, problems: Problems = NO_PROBLEMS
) -> Response:
    program, catalog = await asyncio.gather(program_of(desk, program_id), catalog_of(desk))
    kinds = (
        (points_pb2.CATALOG_OBJECT_TYPE_CATEGORY, "category", N_("catégorie")),
        (points_pb2.CATALOG_OBJECT_TYPE_ITEM, "item", N_("article")),
    )
    named = [
        (f"{kind}:{each.id}", f"{catalog.name_of(each.id)} ({desk.say(words)})")
        for wanted, kind, words in kinds
        for each in catalog.of_type(wanted)
    ]
    qualifies = program.accrual_type in {
        points_pb2.ACCRUAL_TYPE_VISIT,
        points_pb2.ACCRUAL_TYPE_SPEND,
    }
    return desk.show(
        "promotion_new.html",
        here="programs",
        problems=problems,
        program=program,
        days=[(value, desk.say(words)) for value, words in DAYS],
        qualifying=named if qualifies else [],
        fields=fields,
        key=new_key(),
    )


@router.get("/admin/programs/{program_id}/promotions/new")
async def new_promotion(desk: ManagerDesk, program_id: str) -> Response:
    """An empty form."""
    return await _form(desk, program_id, Fields(kind="multiplier", interval="all"))


@router.post("/admin/programs/{program_id}/promotions/new")
async def create_promotion(desk: ManagerDesk, program_id: str) -> Response:
    """ "Créer la promotion"; the eleventh that runs or is planned is refused."""
    fields = await read_fields(desk.request)
    promotion, wrong = _promotion(desk, fields)
    problems = Problems(fields=wrong)
    if not wrong:
        request = CreatePromotionRequest(
            idempotency_key=fields.key,
            chain_id=desk.chain_id,
            program_id=program_id,
            promotion=promotion,
            actor=desk.principal.actor,
        )
        try:
            await desk.deps.clients.points.CreatePromotion(request)
        except RemoteRefusal as refusal:
            problems = problems_of(refusal, desk.language, shown=_SHOWN)
    if problems:
        return await _form(desk, program_id, fields, problems)
    return desk.go(f"programs/{program_id}/promotions", done="created", news="1")


def _promotion(desk: Desk, fields: Fields) -> tuple[Promotion, dict[str, str]]:
    """The promotion that a form says, with words beside what is not one."""
    promotion = Promotion(name=fields.text("name"))
    wrong: dict[str, str] = {}
    value = fields.text("value")
    if fields["kind"] == "addition":
        promotion.addition, problems = whole_number(value, desk.language, "value")
        wrong |= problems.fields
    elif _MULTIPLIER.fullmatch(value):
        promotion.multiplier = value.replace(",", ".")
    else:
        wrong["value"] = desk.say("Entrez un nombre comme 2 ou 1,5.")
    if fields.text("minimum").strip("0.,"):
        promotion.minimum_spend_minor, problems = amount_minor(
            fields.text("minimum"), desk.language, "minimum"
        )
        wrong |= problems.fields
    if fields.text("times"):
        promotion.trigger_times, problems = whole_number(
            fields.text("times"), desk.language, "times"
        )
        wrong |= problems.fields
        is_daily = fields["interval"] == "day"
        promotion.trigger_interval = (
            points_pb2.TRIGGER_INTERVAL_DAY if is_daily else points_pb2.TRIGGER_INTERVAL_ALL_TIME
        )
    kind, _, object_id = fields["qualifying"].partition(":")
    if kind == "category":
        promotion.qualifying_category_ids.append(object_id)
    elif kind == "item":
        promotion.qualifying_item_ids.append(object_id)
    period, problems_of_time = _period(desk, fields)
    promotion.periods.append(period)
    return promotion, wrong | problems_of_time


def _period(desk: Desk, fields: Fields) -> tuple[str, dict[str, str]]:
    """Days and hours as RFC 5545 writes them, by the clock on the salon's wall."""
    wrong: dict[str, str] = {}
    first = _day(fields.text("start"))
    last = _day(fields.text("end"))
    if first is None:
        wrong["start"] = desk.say("Choisissez le premier jour.")
    if fields.text("end") and (last is None or (first is not None and last < first)):
        wrong["end"] = desk.say("Le dernier jour vient après le premier.")
    hours = [fields.text("from"), fields.text("to")]
    times = [_TIME.fullmatch(text) for text in hours]
    if any(hours) and not (all(times) and hours[0] != hours[1]):
        wrong["from"] = desk.say("Donnez les deux heures, ou aucune.")
    if wrong or first is None:
        return "", wrong
    begin, end = ("".join(time.groups()) if time else "0000" for time in times)
    until = first if any(hours) and begin < end else first + timedelta(days=1)
    days = ",".join(day for day, _ in DAYS if fields[f"on-{day}"])
    rule = f"FREQ=WEEKLY;BYDAY={days}" if days else "FREQ=DAILY"
    if last is not None:
        rule += f";UNTIL={last:%Y%m%d}T235959"
    return (
        f"DTSTART:{first:%Y%m%d}T{begin}00\nDTEND:{until:%Y%m%d}T{end}00\nRRULE:{rule}",
        wrong,
    )


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


async def _named(desk: Desk, program_id: str, promotion_id: str) -> Promotion:
    try:
        answer = await desk.deps.clients.points.GetPromotion(
            GetPromotionRequest(
                chain_id=desk.chain_id, program_id=program_id, promotion_id=promotion_id
            )
        )
    except RemoteRefusal as refusal:
        raise ApiError.of("NOT_FOUND") from refusal
    return answer.promotion


@router.get("/admin/programs/{program_id}/promotions/{promotion_id}/cancel")
async def ask_cancel(desk: ManagerDesk, program_id: str, promotion_id: str) -> Response:
    """The question before a promotion is stopped, and what stays."""
    promotion = await _named(desk, program_id, promotion_id)
    return desk.show(
        "promotion_cancel.html", here="programs", program_id=program_id, promotion=promotion
    )


@router.post("/admin/programs/{program_id}/promotions/{promotion_id}/cancel")
async def cancel_promotion(desk: ManagerDesk, program_id: str, promotion_id: str) -> Response:
    """ "Annuler la promotion": from now on it gives nothing more."""
    promotion = await _named(desk, program_id, promotion_id)
    try:
        await desk.deps.clients.points.CancelPromotion(
            CancelPromotionRequest(
                chain_id=desk.chain_id,
                program_id=program_id,
                promotion_id=promotion.id,
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return desk.show(
            "promotion_cancel.html",
            here="programs",
            problems=problems_of(refusal, desk.language),
            program_id=program_id,
            promotion=promotion,
        )
    return desk.go(f"programs/{program_id}/promotions", done="stopped", news="1")
