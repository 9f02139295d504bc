""" "Codes QR": the join QR of the chain and its marked links (LS-16, D24)."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Response

from services.gateway import qr
from services.gateway.admin.desk import Desk, DeskDep
from services.gateway.links import member_url
from services.gateway.web.i18n import N_

router = APIRouter()

# D24: the mark says which way a member came; no mark = typed.
MARKS: Final = {
    "": N_("Adresse à taper"),
    "qr": N_("Affiche avec code QR"),
    "sms": N_("Message texte"),
    "web": N_("Site web du salon"),
    "mail": N_("Courriel"),
    "social": N_("Médias sociaux"),
    "tablet": N_("Tablette"),
    "receipt": N_("Reçu"),
}


# What to do when the code does not scan, after text-to-join, in the order of LS-47.
OTHER_WAYS: Final = (
    ("web", N_("Site web du salon"), N_("Un lien sur la page d'accueil du salon.")),
    ("mail", N_("Courriel"), N_("Le lien, envoyé aux clients que vous avez déjà.")),
    ("social", N_("Médias sociaux"), N_("Le lien dans une publication ou un profil.")),
    ("", N_("Adresse à taper"), N_("Le client l'écrit dans son navigateur.")),
)


def member_link(desk: Desk, mark: str = "") -> str:
    """ "URL du site web mobile" (LS-15), with the mark of a way to join."""
    return member_url(desk.deps.settings, desk.chain.slug) + (f"?s={mark}" if mark else "")


def marked_links(desk: Desk) -> list[tuple[str, str]]:
    """Every way to join with its link."""
    return [(desk.say(words), member_link(desk, mark)) for mark, words in MARKS.items()]


@router.get("/admin/qr")
async def qr_codes(desk: DeskDep) -> Response:
    """The join QR, to save with a right click, and the links for other ways to join."""
    return desk.show(
        "qr_codes.html",
        here="qr",
        join_link=member_link(desk, "qr"),
        links=marked_links(desk),
        ways=[
            (desk.say(words), desk.say(why), member_link(desk, mark))
            for mark, words, why in OTHER_WAYS
        ],
    )


@router.get("/admin/qr/join.png")
async def join_png(desk: DeskDep) -> Response:
    """The join QR as a picture (LS-16)."""
    return qr.response(member_link(desk, "qr"), "png")


@router.get("/admin/qr/join.svg")
async def join_svg(desk: DeskDep) -> Response:
    """The join QR for print at any size."""
    return qr.response(member_link(desk, "qr"), "svg")
