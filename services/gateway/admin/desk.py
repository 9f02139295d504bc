"""Who sits at the panel: the signed-in staff member, her chain, her language, her pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse
from loyalty.enrollment.v1.enrollment_pb2 import Chain, Principal, Salon, Staff
from loyalty.types.v1 import types_pb2

from services.gateway.auth import require_staff
from services.gateway.deps import Deps, DepsDep
from services.gateway.errors import ApiError
from services.gateway.web import i18n
from services.gateway.web.forms import NO_PROBLEMS, Problems
from services.gateway.web.i18n import N_
from services.gateway.web.render import page

# The menu on the left, with the words and parents of LS-84. Each entry: address, words, page name.
MENU: Final = (
    (N_("Programmes de fidélité"), (("programs", N_("Créer / Modifier programmes")),)),
    ("", (("qr", N_("Codes QR")),)),
    (N_("Offres"), (("offers", N_("Créer / modifier Offres")),)),
    (
        N_("Messagerie"),
        (
            ("text-to-join", N_("Programmes Texter pour entrer")),
            ("scheduled", N_("Messages planifiés")),
            ("sends", N_("Envois aux clients")),
            ("messages", N_("Messages automatiques")),
            ("deliveries", N_("Journal des envois")),
        ),
    ),
    (N_("Données client"), (("members", N_("Données")),)),
    ("", (("design", N_("Conception et image")), ("settings", N_("Réglages")))),
)

# What was just done, by the word in the address after a form; told once above the page.
DONE: Final[Mapping[str, str]] = {
    "saved": N_("C'est enregistré."),
    "created": N_("C'est créé."),
    "known": N_("Ce client était déjà inscrit: voici sa page."),
    "deleted": N_("C'est supprimé."),
    "earned": N_("Le compte indique maintenant le nouveau nombre de points."),
    "restored": N_("La récompense est remise à gagné. Le client peut l'utiliser de nouveau."),
    "voided": N_("La récompense est annulée."),
    "refunded": N_("Le remboursement est fait."),
    "changed_before": N_("Ce remboursement était déjà fait: rien n'a changé."),
    "stopped": N_("La promotion est arrêtée. Les points déjà donnés restent."),
    "rotated": N_("La tablette a un nouveau lien; l'ancien ne fonctionne plus."),
    "revoked": N_("L'accès est retiré."),
    "status_sent": N_("Le message avec le solde part dans un instant."),
    "password": N_("Le mot de passe est changé; les autres sessions sont fermées."),
}

PLANS: Final[Mapping[int, str]] = {
    types_pb2.PLAN_PARTANT: "Partant",
    types_pb2.PLAN_ESSENTIEL: "Essentiel",
    types_pb2.PLAN_PRO: "Pro",
}

REFUNDERS: Final = (Staff.ROLE_OWNER, Staff.ROLE_MANAGER, Staff.ROLE_CASHIER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One staff member at the panel of her chain."""

    request: Request
    deps: Deps
    principal: Principal
    chain: Chain
    language: str

    @property
    def chain_id(self) -> str:
        """The chain that the session belongs to; no page takes it from anywhere else."""
        return self.chain.id

    @property
    def zone(self) -> ZoneInfo:
        """The chain's home zone (D38)."""
        return ZoneInfo(self.chain.home_time_zone)

    @property
    def plan(self) -> str:
        """The name of the chain's plan; a name is the same in both languages."""
        return PLANS.get(self.chain.plan, "")

    @property
    def manages(self) -> bool:
        """Whether she may change programs, rewards, offers and the look."""
        return self.principal.role in {Staff.ROLE_OWNER, Staff.ROLE_MANAGER}

    @property
    def refunds(self) -> bool:
        """Whether she may take back the points of a sale: whoever serves members (N5)."""
        return self.principal.role in REFUNDERS

    async def salons(self) -> list[Salon]:
        """The chain's salons, oldest first."""
        return await self.deps.salons.of(self.chain_id)

    def show(
        self, template: str, *, here: str, problems: Problems = NO_PROBLEMS, **context: object
    ) -> Response:
        """A page of the panel; `here` is the menu entry that it belongs to."""
        done = DONE.get(self.request.query_params.get("done", ""), "")
        response = page(
            self.request,
            f"panel/{template}",
            status=problems.status if problems else 200,
            language=self.language,
            chain=self.chain,
            staff=self.principal,
            manages=self.manages,
            refunds=self.refunds,
            owns=self.principal.role == Staff.ROLE_OWNER,
            zone=self.zone,
            menu=MENU,
            plan=self.plan,
            contact_email=self.deps.settings.contact_email,
            here=here,
            done=self.say(done) if done else "",
            errors=problems.fields,
            problem=problems.form,
            **context,
        )
        if problems.retry_after_seconds:
            response.headers["retry-after"] = str(problems.retry_after_seconds)
        return response

    def go(self, path: str, **query: str) -> RedirectResponse:
        """To another page of the panel, by GET."""
        return RedirectResponse(
            f"/admin/{path}" + (f"?{urlencode(query)}" if query else ""), status_code=303
        )

    def say(self, words: str, **params: object) -> str:
        """French words in her language."""
        return i18n.translate(self.language, words, **params)

    def count(self, one: str, many: str, number: int) -> str:
        """Same for words with a number."""
        return i18n.translate_count(self.language, one, many, number)

    def number(self, value: int) -> str:
        """A whole number as she writes it, with a true minus sign."""
        sign = "−" if value < 0 else ""
        return sign + i18n.format_number(abs(value), self.language)


def _desk_of(*roles: Staff.Role.ValueType) -> object:
    signed_in = require_staff(*roles)

    async def desk(request: Request, deps: DepsDep) -> Desk:
        principal = await signed_in(request)
        await deps.limits.check("page", principal.session_id)
        chain = await deps.chains.by_id(principal.chain_id)
        if chain is None:
            raise ApiError.of("SERVICE_UNAVAILABLE")
        own = i18n.language_name(principal.language) if principal.language else ""
        default = i18n.language_name(chain.language)
        return Desk(
            request=request,
            deps=deps,
            principal=principal,
            chain=chain,
            language=i18n.language_of(request, default, own=own),
        )

    return Depends(desk)


# Anybody of the staff; those who refund; those who manage programs; the owner alone.
DeskDep = Annotated[Desk, _desk_of()]
RefunderDesk = Annotated[Desk, _desk_of(*REFUNDERS)]
ManagerDesk = Annotated[Desk, _desk_of(Staff.ROLE_OWNER, Staff.ROLE_MANAGER)]
OwnerDesk = Annotated[Desk, _desk_of(Staff.ROLE_OWNER)]
