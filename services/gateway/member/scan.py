"""Points come: by the salon's QR, by its typed code, one or several at a time (LS-23 to LS-28)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import orjson
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from loyalty.points.v1.points_pb2 import (
    Earned,
    EarnItem,
    GrantMultiPointRequest,
    ReadEarnTokenRequest,
    ScanOrigin,
    TypedCodeOrigin,
)

from services.chassis.errors import RemoteRefusal
from services.gateway.auth import clear_cookie, set_cookie
from services.gateway.member import holdings
from services.gateway.member.door import MemberDep, NothingHere, PageRoute, Visit, VisitDep
from services.gateway.member.earns import earn
from services.gateway.member.join import join_page
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    problems_of,
    read_fields,
    wants_json,
    whole_number,
)
from services.gateway.web.i18n import translate_count

router = APIRouter(route_class=PageRoute, include_in_schema=False)

# The grant itself lives two minutes in points; the cookie only carries it to the scan (D39).
GRANT_COOKIE = "meche_grant"
GRANT_SECONDS = 120
# Our tokens are about a hundred characters; whatever is much longer is not one of them.
EARN_TOKEN_LENGTH_MAX = 256
# Points refuses a scan_id that came before with another content.
SAME_SCAN_AGAIN = "IDEMPOTENCY_KEY_REUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Staff allowed several points for the next scan of this phone (LS-25)."""

    grant_id: str
    program_id: str
    points: int


def _keep_grant(visit: Visit, response: Response, grant: Grant) -> None:
    raw = orjson.dumps([grant.grant_id, grant.program_id, grant.points])
    signed = visit.deps.signer("multi-point-grant").sign(raw)
    set_cookie(
        response, visit.deps, GRANT_COOKIE, signed, path=visit.base, max_age_seconds=GRANT_SECONDS
    )


def _held_grant(visit: Visit) -> Grant | None:
    signed = visit.request.cookies.get(GRANT_COOKIE, "")
    raw = visit.deps.signer("multi-point-grant").verify(signed) if signed else None
    if raw is None:
        return None
    grant_id, program_id, points = orjson.loads(raw)
    return Grant(grant_id=grant_id, program_id=program_id, points=points)


def _item(visit: Visit, key: str) -> EarnItem:
    principal = visit.signed_in
    return EarnItem(
        idempotency_key=key,
        chain_id=visit.chain.id,
        member_id=principal.actor.id,
        actor=principal.actor,
        session_id=principal.session_id,
    )


@router.get("/m/{slug}/scan")
async def scan_page(visit: MemberDep) -> Response:
    """ "Gagner des points": the camera, the green bar, and the way without QR (LS-24, LS-46)."""
    return visit.show("scan.html", grant=_held_grant(visit))


@router.get("/m/{slug}/multi")
async def multi_page(visit: MemberDep) -> Response:
    """Behind the green bar: staff enter how many points and their code."""
    return await _multi(visit)


async def _multi(
    visit: Visit, *, said: Fields | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    programs = await holdings.active_programs(visit.deps.clients, visit.chain.id)
    return visit.show(
        "multi.html", problems=problems, said=said or Fields(), programs=programs, key=new_key()
    )


@router.post("/m/{slug}/multi")
async def grant_multi(visit: MemberDep) -> Response:
    """The right code allows the next scan of this phone several points; nothing is earned yet."""
    fields = await read_fields(visit.request)
    principal = visit.signed_in
    await visit.deps.limits.check("code", visit.chain.id, principal.session_id)
    points, problems = whole_number(fields.text("points"), visit.language, "points")
    if problems:
        return await _multi(visit, said=fields, problems=problems)
    if points == 1:
        # One point needs no code (M5): the plain scan is all.
        return visit.go("/scan")
    try:
        program_id = await _program_id(visit, fields)
        answer = await visit.deps.clients.points.GrantMultiPoint(
            GrantMultiPointRequest(
                chain_id=visit.chain.id,
                member_id=principal.actor.id,
                program_id=program_id,
                session_id=principal.session_id,
                points=points,
                multi_point_code=fields.text("multi_point_code"),
            )
        )
    except RemoteRefusal as refusal:
        shown = {"points": "points", "multi_point_code": "multi_point_code"}
        problems = problems_of(refusal, visit.language, shown=shown)
        return await _multi(visit, said=fields, problems=problems)
    response = visit.go("/scan")
    grant = Grant(grant_id=answer.grant_id, program_id=program_id, points=points)
    _keep_grant(visit, response, grant)
    return response


async def _program_id(visit: Visit, fields: Fields) -> str:
    """The program that was chosen, or the default one; a foreign id is refused by points."""
    if fields["program"]:
        return fields["program"]
    programs = await holdings.active_programs(visit.deps.clients, visit.chain.id)
    if not programs:
        raise NothingHere
    return programs[0].id


@router.get("/m/{slug}/manual")
async def manual_page(visit: MemberDep) -> Response:
    """ "QR ne fonctionne pas? Cliquez ici": the typed code (LS-26)."""
    return await _manual(visit)


async def _manual(
    visit: Visit, *, said: Fields | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    programs = await holdings.active_programs(visit.deps.clients, visit.chain.id)
    return visit.show(
        "manual.html", problems=problems, said=said or Fields(), programs=programs, key=new_key()
    )


@router.post("/m/{slug}/manual")
async def earn_by_code(visit: MemberDep) -> Response:
    """Earn by the typed code; above one point both codes are needed (LS-27, LS-28)."""
    fields = await read_fields(visit.request)
    await visit.deps.limits.check("code", visit.chain.id, visit.signed_in.session_id)
    points, problems = whole_number(fields.text("points"), visit.language, "points")
    if problems:
        return await _manual(visit, said=fields, problems=problems)
    try:
        item = _item(visit, fields.key)
        item.program_id = await _program_id(visit, fields)
        item.typed_code.CopyFrom(
            TypedCodeOrigin(
                points_code=fields.text("points_code"),
                points=points,
                multi_point_code=fields.text("multi_point_code"),
            )
        )
        await earn(visit.deps, item)
    except RemoteRefusal as refusal:
        names = ("points", "points_code", "multi_point_code")
        problems = problems_of(refusal, visit.language, shown={name: name for name in names})
        return await _manual(visit, said=fields, problems=problems)
    return visit.go("/card?done=earned")


def _scan_id(fields: Fields) -> str:
    """The id that the page made for this scan; a resend brings the same one."""
    try:
        return str(UUID(fields["scan_id"]))
    except ValueError:
        return new_key()


@router.get("/m/{slug}/g/{earn_token}")
async def earn_page(visit: VisitDep, earn_token: str) -> Response:
    """What the salon's QR opens. Looking earns nothing: the page posts, or its button does."""
    if len(earn_token) > EARN_TOKEN_LENGTH_MAX:
        raise NothingHere
    request = ReadEarnTokenRequest(chain_id=visit.chain.id, earn_token=earn_token)
    try:
        read = await visit.deps.clients.points.ReadEarnToken(request)
    except RemoteRefusal as refusal:
        problems = problems_of(refusal, visit.language)
        return visit.show("earn_refused.html", problems=problems)
    if visit.principal is None:
        return await join_page(visit, earn_token=earn_token)
    cards = await holdings.points_cards(visit.deps.clients, visit.chain.id, visit.member_id)
    card = next((one for one in cards if one.program.id == read.program_id), None)
    return visit.show(
        "earn.html", earn_token=earn_token, scan_id=new_key(), card=card, grant=_held_grant(visit)
    )


@router.post("/m/{slug}/g/{earn_token}")
async def earn_by_scan(visit: MemberDep, earn_token: str) -> Response:
    """One scan, counted once for its scan_id; with a grant of staff, several points (LS-25)."""
    if len(earn_token) > EARN_TOKEN_LENGTH_MAX:
        raise NothingHere
    fields = await read_fields(visit.request)
    await visit.deps.limits.check("scan", visit.chain.id, visit.signed_in.session_id)
    item = _item(visit, _scan_id(fields))
    grant = _held_grant(visit)
    item.scan.CopyFrom(ScanOrigin(earn_token=earn_token, grant_id=grant.grant_id if grant else ""))
    as_page = not wants_json(visit.request)
    try:
        earned = await earn(visit.deps, item)
    except RemoteRefusal as refusal:
        if refusal.code.upper() == SAME_SCAN_AGAIN:
            # The scan counted with the grant of staff, which is used up by now.
            return visit.go("/card?done=counted") if as_page else JSONResponse(_counted(visit))
        problems = problems_of(refusal, visit.language)
        if as_page:
            return visit.show("earn_refused.html", problems=problems)
        return JSONResponse({"problem": problems.form}, status_code=problems.status)
    response: Response
    if as_page:
        response = visit.go("/card?done=" + ("counted" if earned.already_counted else "earned"))
    else:
        response = JSONResponse(_told(visit, earned))
    clear_cookie(response, visit.deps, GRANT_COOKIE, path=visit.base)
    return response


def _counted(visit: Visit) -> dict[str, object]:
    return {"already_counted": True, "message": visit.say("Ce passage est déjà compté.")}


def _told(visit: Visit, earned: Earned) -> dict[str, object]:
    """What the page needs to show that points came."""
    points = earned.entry.points
    told: dict[str, object] = {"balance": earned.balance, "points": points}
    if earned.already_counted:
        return told | _counted(visit)
    message = translate_count(
        visit.language,
        "+%(num)s point sur votre carte!",
        "+%(num)s points sur votre carte!",
        points,
    )
    return told | {"already_counted": False, "message": message}
