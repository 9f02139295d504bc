"""The names that words of the owner's own may use, in people's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from services.gateway.admin.desk import Desk
from services.gateway.web.i18n import N_

# What every message may use, and what those that name an offer may use too.
ALWAYS: Final = ("chain", "link", "name")
OF_AN_OFFER: Final = (*ALWAYS, "offer", "description", "exclusion", "until")
_WORDS: Final[Mapping[str, str]] = {
    "chain": N_("le nom du salon"),
    "link": N_("le lien vers son compte ou vers l'offre"),
    "name": N_("le prénom du client"),
    "points": N_("le nombre de points dont il s'agit"),
    "term": N_("le mot pour ces points: « points »"),
    "balance": N_("le solde, en nombre"),
    "balances": N_("les soldes de tous ses programmes"),
    "program": N_("le nom du programme"),
    "tier": N_("le nom du niveau"),
    "last_day": N_("le dernier jour de ces points"),
    "offer": N_("le titre de l'offre"),
    "description": N_("la description de l'offre"),
    "exclusion": N_("ce que l'offre exclut"),
    "until": N_("le dernier jour de l'offre"),
}
# Said only in some cases: what stands between the braces is left out else.
_CASES: Final[Mapping[str, str]] = {
    "first": N_("dit seulement à la première vente"),
    "risen": N_("dit seulement quand le client monte de niveau"),
}


def fill_ins(desk: Desk, names: Iterable[str]) -> list[tuple[str, str]]:
    """Each name as it is written, and what stands in its place."""
    shown = []
    for name in names:
        if name in _CASES:
            shown.append((f"{{% if {name} %}}…{{% endif %}}", desk.say(_CASES[name])))
        elif name in _WORDS:
            shown.append((f"{{{{ {name} }}}}", desk.say(_WORDS[name])))
    return shown
