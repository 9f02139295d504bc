""" "Réglages": salons, staff, tablets and API keys of the chain. The owner's own pages."""

from __future__ import annotations

import asyncio
from typing import Final, get_args

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import (
    ApiKey,
    CreateApiKeyRequest,
    CreateSalonRequest,
    CreateStaffRequest,
    CreateTabletRequest,
    ListApiKeysRequest,
    ListStaffRequest,
    ListTabletsRequest,
    RevokeApiKeyRequest,
    RevokeTabletRequest,
    RotateTabletRequest,
    SetStaffActiveRequest,
    SetStaffPasswordRequest,
    Staff,
)
from loyalty.points.v1.points_pb2 import ListProgramsRequest

from services.chassis.errors import RemoteRefusal
from services.gateway.admin.desk import Desk, DeskDep, OwnerDesk
from services.gateway.admin.history import names_of
from services.gateway.auth import OWNER_SCOPE, STAFF_COOKIE
from services.gateway.pos.keys import Scope
from services.gateway.web import i18n
from services.gateway.web.forms import (
    NO_PROBLEMS,
    Fields,
    Problems,
    new_key,
    problems_of,
    read_fields,
)
from services.gateway.web.i18n import N_, program_name

router = APIRouter()

ROLES: Final = {
    "cashier": (Staff.ROLE_CASHIER, N_("Caisse")),
    "manager": (Staff.ROLE_MANAGER, N_("Gérance")),
    "owner": (Staff.ROLE_OWNER, N_("Propriétaire")),
}
# What a till needs: all but the owner's own scope, which the operator alone gives.
TILL_SCOPES: Final = tuple(scope for scope in get_args(Scope) if scope != OWNER_SCOPE)


async def _page(
    desk: Desk,
    *,
    fields: Fields | None = None,
    problems: Problems = NO_PROBLEMS,
    shown_token: str = "",
) -> Response:
    clients, chain_id = desk.deps.clients, desk.chain_id
    staff, tablets, programs, salons = await asyncio.gather(
        clients.enrollment.ListStaff(ListStaffRequest(chain_id=chain_id)),
        clients.enrollment.ListTablets(ListTabletsRequest(chain_id=chain_id)),
        clients.points.ListPrograms(ListProgramsRequest(chain_id=chain_id)),
        desk.salons(),
    )
    keys: list[ApiKey] = []
    if desk.principal.role == Staff.ROLE_OWNER:
        answer = await clients.enrollment.ListApiKeys(ListApiKeysRequest(chain_id=chain_id))
        keys = list(answer.api_keys)
    return desk.show(
        "settings.html",
        here="settings",
        problems=problems,
        people=staff.staff,
        roles={value: desk.say(words) for value, words in ROLES.values()},
        role_options=[(name, desk.say(words)) for name, (_, words) in ROLES.items()],
        tablets=[tablet for tablet in tablets.tablets if tablet.active],
        programs={
            program.id: program_name(program.name, desk.language) for program in programs.programs
        },
        salons=salons,
        salon_names=names_of(salons),
        keys=[key for key in keys if not key.HasField("revoked_at")],
        fields=fields or Fields(),
        shown_token=shown_token,
        key=new_key(),
    )


@router.get("/admin/settings")
async def settings(desk: DeskDep) -> Response:
    """Who and what speaks for the chain."""
    return await _page(desk)


async def _refused(desk: Desk, fields: Fields, refusal: RemoteRefusal, prefix: str) -> Response:
    """The page again; a field of the refusal is the form's field with the form's prefix."""
    names = ("name", "email", "password", "role", "address", "phone", "time_zone")
    shown = {name: f"{prefix}_{name}" for name in names}
    return await _page(
        desk, fields=fields, problems=problems_of(refusal, desk.language, shown=shown)
    )


@router.post("/admin/settings/salons")
async def add_salon(desk: OwnerDesk) -> Response:
    """One more salon of the chain."""
    fields = await read_fields(desk.request)
    try:
        await desk.deps.clients.enrollment.CreateSalon(
            CreateSalonRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                name=fields.text("salon_name"),
                address=fields.text("salon_address"),
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _refused(desk, fields, refusal, "salon")
    desk.deps.salons.forget(desk.chain_id)
    return desk.go("settings", done="created")


@router.post("/admin/settings/staff")
async def add_staff(desk: OwnerDesk) -> Response:
    """One more person who may sign in."""
    fields = await read_fields(desk.request)
    role, _ = ROLES.get(fields["staff_role"], ROLES["cashier"])
    try:
        await desk.deps.clients.enrollment.CreateStaff(
            CreateStaffRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                email=fields.text("staff_email"),
                name=fields.text("staff_name"),
                password=fields["staff_password"],
                role=role,
                language=i18n.language_value(desk.language),
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _refused(desk, fields, refusal, "staff")
    return desk.go("settings", done="created")


@router.post("/admin/settings/staff/{staff_id}/active")
async def set_active(desk: OwnerDesk, staff_id: str) -> Response:
    """Switch a person off, with all her sessions, or on again."""
    fields = await read_fields(desk.request)
    try:
        await desk.deps.clients.enrollment.SetStaffActive(
            SetStaffActiveRequest(
                chain_id=desk.chain_id,
                staff_id=staff_id,
                active=fields["active"] == "1",
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _refused(desk, fields, refusal, "staff")
    return desk.go("settings", done="saved")


@router.post("/admin/settings/password")
async def set_password(desk: DeskDep) -> Response:
    """A new password of one's own; every other session ends."""
    fields = await read_fields(desk.request)
    try:
        await desk.deps.clients.enrollment.SetStaffPassword(
            SetStaffPasswordRequest(
                chain_id=desk.chain_id,
                staff_id=desk.principal.actor.id,
                password=fields["own_password"],
                keep_session_token=desk.request.cookies.get(STAFF_COOKIE, ""),
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _refused(desk, fields, refusal, "own")
    return desk.go("settings", done="password")


@router.post("/admin/settings/tablets")
async def add_tablet(desk: OwnerDesk) -> Response:
    """A tablet of one salon and program; its URL stands under "Conception et image"."""
    fields = await read_fields(desk.request)
    try:
        await desk.deps.clients.enrollment.CreateTablet(
            CreateTabletRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                salon_id=fields["tablet_salon"],
                program_id=fields["tablet_program"],
                name=fields.text("tablet_name"),
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _refused(desk, fields, refusal, "tablet")
    return desk.go("settings", done="created")


@router.post("/admin/settings/tablets/{tablet_id}/rotate")
async def rotate_tablet(desk: OwnerDesk, tablet_id: str) -> Response:
    """A new link for this tablet: the old one is dead at once."""
    await desk.deps.clients.enrollment.RotateTablet(
        RotateTabletRequest(chain_id=desk.chain_id, tablet_id=tablet_id, actor=desk.principal.actor)
    )
    return desk.go("settings", done="rotated")


@router.post("/admin/settings/tablets/{tablet_id}/revoke")
async def revoke_tablet(desk: OwnerDesk, tablet_id: str) -> Response:
    """This tablet serves nobody any more."""
    await desk.deps.clients.enrollment.RevokeTablet(
        RevokeTabletRequest(chain_id=desk.chain_id, tablet_id=tablet_id, actor=desk.principal.actor)
    )
    return desk.go("settings", done="revoked")


@router.post("/admin/settings/keys")
async def add_key(desk: OwnerDesk) -> Response:
    """A key for a till; shown this once, on the page that answers."""
    fields = await read_fields(desk.request)
    try:
        answer = await desk.deps.clients.enrollment.CreateApiKey(
            CreateApiKeyRequest(
                idempotency_key=fields.key,
                chain_id=desk.chain_id,
                name=fields.text("key_name"),
                scopes=TILL_SCOPES,
                salon_ids=[fields["key_salon"]] if fields["key_salon"] else [],
                actor=desk.principal.actor,
            )
        )
    except RemoteRefusal as refusal:
        return await _refused(desk, fields, refusal, "key")
    return await _page(desk, shown_token=answer.token)


@router.post("/admin/settings/keys/{key_id}/revoke")
async def revoke_key(desk: OwnerDesk, key_id: str) -> Response:
    """This key opens nothing any more."""
    await desk.deps.clients.enrollment.RevokeApiKey(
        RevokeApiKeyRequest(chain_id=desk.chain_id, api_key_id=key_id, actor=desk.principal.actor)
    )
    return desk.go("settings", done="revoked")
