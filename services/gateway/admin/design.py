""" "Conception et image": the addresses of the app and the tablets, the logo, the colour.

Rows LS-09, LS-15, LS-86.
"""

from __future__ import annotations

import re

from fastapi import APIRouter, Response
from loyalty.enrollment.v1.enrollment_pb2 import (
    GetChainRequest,
    ListTabletsRequest,
    UpdateChainRequest,
)
from loyalty.points.v1.points_pb2 import ListProgramsRequest
from starlette.datastructures import UploadFile

from services.chassis.errors import RemoteRefusal
from services.gateway import images
from services.gateway.admin.desk import Desk, DeskDep, ManagerDesk
from services.gateway.admin.history import names_of
from services.gateway.admin.qr_codes import marked_links, member_link
from services.gateway.links import tablet_url
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

LOGO_EDGE_PIXELS = 512
REFUSED = {
    "size": N_("Choisissez une image de moins de 5 Mo."),
    "format": N_("Choisissez une image PNG, JPEG ou WebP; ce fichier n'en est pas une."),
    "pixels": N_("Cette image est trop grande; réduisez-la à 4000 pixels de côté."),
}
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


async def _page(
    desk: Desk, *, fields: Fields | None = None, problems: Problems = NO_PROBLEMS
) -> Response:
    clients = desk.deps.clients
    tablets = await clients.enrollment.ListTablets(ListTabletsRequest(chain_id=desk.chain_id))
    programs = await clients.points.ListPrograms(ListProgramsRequest(chain_id=desk.chain_id))
    salons = await desk.salons()
    default = Fields(
        name=desk.chain.name,
        brand_color=desk.chain.brand_color,
        language=i18n.language_name(desk.chain.language),
        postal_address=desk.chain.postal_address,
        contact_phone=desk.chain.contact_phone,
    )
    return desk.show(
        "design.html",
        here="design",
        problems=problems,
        member_link=member_link(desk),
        links=marked_links(desk),
        tablets=[
            (tablet, tablet_url(desk.deps.settings, tablet.link_token) if desk.manages else "")
            for tablet in tablets.tablets
            if tablet.active
        ],
        salons=names_of(salons),
        programs={
            program.id: program_name(program.name, desk.language) for program in programs.programs
        },
        fields=fields or default,
        key=new_key(),
    )


@router.get("/admin/design")
async def design(desk: DeskDep) -> Response:
    """The mobile URL at the top, then the tablets' URLs, then the look."""
    return await _page(desk)


async def _change(desk: Desk, request: UpdateChainRequest, fields: Fields) -> Response:
    try:
        await desk.deps.clients.enrollment.UpdateChain(request)
    except RemoteRefusal as refusal:
        fields_of_form = ("name", "brand_color", "logo", "postal_address", "contact_phone")
        shown = {name: name for name in fields_of_form}
        return await _page(
            desk, fields=fields, problems=problems_of(refusal, desk.language, shown=shown)
        )
    desk.deps.chains.forget(desk.chain)
    return desk.go("design", done="saved")


@router.post("/admin/design")
async def save_look(desk: ManagerDesk) -> Response:
    """ "Sauvegarder": name, colour, language of the chain's pages, its addresses."""
    fields = await read_fields(desk.request)
    if not _COLOR.fullmatch(fields.text("brand_color")):
        words = desk.say("Choisissez une couleur, par exemple #5b2a5e.")
        return await _page(desk, fields=fields, problems=Problems(fields={"brand_color": words}))
    request = UpdateChainRequest(
        chain_id=desk.chain_id,
        name=fields.text("name"),
        brand_color=fields.text("brand_color"),
        language=i18n.language_value(fields["language"]),
        postal_address=fields.text("postal_address") if "postal_address" in fields else None,
        contact_phone=fields.text("contact_phone") if "contact_phone" in fields else None,
        actor=desk.principal.actor,
    )
    return await _change(desk, request, fields)


@router.post("/admin/design/logo")
async def save_logo(desk: ManagerDesk) -> Response:
    """A logo, drawn anew; an empty choice with "Supprimer" takes it away (LS-86)."""
    form = await desk.request.form(max_files=1, max_fields=4)
    request = UpdateChainRequest(chain_id=desk.chain_id, actor=desk.principal.actor)
    if form.get("remove") == "1":
        request.logo = b""
        request.logo_media_type = ""
        return await _change(desk, request, Fields())
    file = form.get("logo")
    uploaded = await file.read() if isinstance(file, UploadFile) else b""
    if not uploaded:
        words = desk.say("Choisissez d'abord un fichier.")
        return await _page(desk, problems=Problems(fields={"logo": words}))
    try:
        picture = await images.redraw(uploaded, edge_pixels=LOGO_EDGE_PIXELS)
    except images.ImageRefused as refused:
        words = desk.say(REFUSED[refused.reason])
        return await _page(desk, problems=Problems(fields={"logo": words}))
    request.logo = picture.content
    request.logo_media_type = picture.media_type
    return await _change(desk, request, Fields())


@router.get("/admin/design/logo")
async def logo(desk: DeskDep) -> Response:
    """The logo as it is kept."""
    request = GetChainRequest(chain_id=desk.chain_id, include_logo=True)
    chain = (await desk.deps.clients.enrollment.GetChain(request)).chain
    if not chain.logo:
        return Response(status_code=404)
    return Response(
        chain.logo,
        media_type=chain.logo_media_type,
        headers={"cache-control": "private, no-cache", "x-content-type-options": "nosniff"},
    )
