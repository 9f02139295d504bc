"""A program's rules in plain words, section by section, as its page sums them up (SQ-47)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from loyalty.points.v1 import points_pb2
from loyalty.points.v1.points_pb2 import AccrualRule, Program, RefundSettings

from services.gateway.admin.catalog import names_of_objects
from services.gateway.ladder import decimal_words
from services.gateway.web import i18n
from services.gateway.web.i18n import N_
from services.gateway.web.speaker import Speaker

NEVER: Final = "never"
_MONTHS: Final = re.compile(r"P([0-9]{1,4})M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of a program's page: where it is changed, its heading, what it says now."""

    address: str
    heading: str
    lines: Sequence[str]


async def sections_of(desk: Speaker, program: Program, *, promotions_open: int) -> list[Section]:
    """Every section of the rules, in the order of the page."""
    (earning,) = await earning_words(desk, [program])
    if len(earning) > 1:
        earning.append(desk.say(N_("Si plusieurs règles s'appliquent, la plus généreuse compte.")))
    sections = [Section(address="earning", heading=N_("Gain de points"), lines=earning)]
    if spends(program):
        sections.append(
            Section(
                address="eligible",
                heading=N_("Articles et catégories admissibles"),
                lines=[_excluded_words(desk, program)],
            )
        )
    sections += [
        Section(
            address="expiry",
            heading=N_("Expiration"),
            lines=[expiry_words(desk, program.expiry_policy)],
        ),
        Section(address="tiers", heading=N_("Niveaux"), lines=_tier_words(desk, program)),
        Section(
            address="refunds",
            heading=N_("Remboursements"),
            lines=refund_words(desk, program.refunds),
        ),
        Section(
            address="promotions",
            heading=N_("Promotions"),
            lines=[
                desk.count(
                    "%(num)s promotion en cours ou prévue",
                    "%(num)s promotions en cours ou prévues",
                    promotions_open,
                )
            ],
        ),
    ]
    return sections


def spends(program: Program) -> bool:
    """Whether spending earns: only then something can be excluded (SQ-57)."""
    return any(rule.type == points_pb2.ACCRUAL_TYPE_SPEND for rule in program.accrual_rules)


async def earning_words(desk: Speaker, programs: Sequence[Program]) -> list[list[str]]:
    """How each program gives points, a line for each of its rules."""
    rules = [rule for program in programs for rule in program.accrual_rules]
    names = await names_of_objects(desk, _named(rules))
    return [[rule_words(desk, rule, names) for rule in each.accrual_rules] for each in programs]


def _named(rules: Iterable[AccrualRule]) -> list[str]:
    return [each for rule in rules for each in (rule.variation_id, rule.category_id)]


def rule_words(desk: Speaker, rule: AccrualRule, names: dict[str, str]) -> str:
    """One rule: "1 point par 1,00 $ dépensé, avant taxes"."""
    points = desk.count("%(num)s point", "%(num)s points", rule.points)
    after = rule.tax_mode == points_pb2.TAX_MODE_AFTER_TAX
    tax = desk.say(N_("après taxes") if after else N_("avant taxes"))
    if rule.type == points_pb2.ACCRUAL_TYPE_SPEND:
        amount = _money(desk, rule.amount_minor)
        words = N_("%(points)s par tranche de %(amount)s dépensée, %(tax)s")
        return desk.say(words, points=points, amount=amount, tax=tax)
    if rule.type == points_pb2.ACCRUAL_TYPE_ITEM_VARIATION:
        name = names.get(rule.variation_id, "…")
        return desk.say(N_("%(points)s par « %(name)s »"), points=points, name=name)
    if rule.type == points_pb2.ACCRUAL_TYPE_CATEGORY:
        name = names.get(rule.category_id, "…")
        words = N_("%(points)s par article de « %(name)s »")
        return desk.say(words, points=points, name=name)
    if rule.HasField("minimum_minor"):
        amount = _money(desk, rule.minimum_minor)
        words = N_("%(points)s par visite d'au moins %(amount)s, %(tax)s")
        return desk.say(words, points=points, amount=amount, tax=tax)
    return desk.say(N_("%(points)s par visite"), points=points)


def _money(desk: Speaker, minor: int) -> str:
    return i18n.format_money(minor, desk.chain.currency, desk.language)


def _excluded_words(desk: Speaker, program: Program) -> str:
    items = {each for rule in program.accrual_rules for each in rule.excluded_item_ids}
    categories = {each for rule in program.accrual_rules for each in rule.excluded_category_ids}
    parts = []
    if categories:
        parts.append(desk.count("%(num)s catégorie", "%(num)s catégories", len(categories)))
    if items:
        parts.append(desk.count("%(num)s article", "%(num)s articles", len(items)))
    if not parts:
        return desk.say(N_("Tout donne des points."))
    what = desk.say(N_(" et ")).join(parts)
    return desk.say(N_("Tout donne des points, sauf %(what)s."), what=what)


def months_of(policy: str) -> int:
    """The months of an expiry policy such as "P3M"; 0 = never."""
    found = _MONTHS.fullmatch(policy)
    return int(found[1]) if found else 0


def expiry_words(desk: Speaker, policy: str) -> str:
    """When points end that are earned now (SQ-64)."""
    months = months_of(policy)
    if not months:
        return desk.say(N_("Les points n'expirent jamais."))
    return desk.count(
        "Les points expirent à la fin du mois suivant celui où ils sont gagnés.",
        "Les points expirent à la fin du %(num)se mois suivant celui où ils sont gagnés.",
        months,
    )


def _tier_words(desk: Speaker, program: Program) -> list[str]:
    if not program.tiers:
        return [desk.say(N_("Aucun niveau."))]
    return [
        desk.say(
            N_("%(name)s: dès %(threshold)s, points × %(multiplier)s"),
            name=tier.name,
            threshold=desk.count("%(num)s point de base", "%(num)s points de base", tier.threshold),
            multiplier=decimal_words(tier.multiplier, desk.language),
        )
        for tier in program.tiers
    ]


# The choices of the section on refunds, the default of each first (D1, D3, R36).
DEBT: Final = (
    ("allow", N_("Le solde peut devenir négatif: les prochains points le remboursent.")),
    ("clamp", N_("Le solde s'arrête à zéro: les points déjà dépensés ne sont pas réclamés.")),
)
REWARDS: Final = (
    ("return", N_("La récompense utilisée sur la vente est rendue au client.")),
    ("keep", N_("La récompense utilisée sur la vente reste utilisée.")),
)
VISITS: Final = (
    ("remaining", N_("Une visite perd ses points si ce qui reste payé est sous le minimum.")),
    ("refunded", N_("Une visite perd ses points si le montant remboursé est sous le minimum.")),
)


def refund_choices(settings: RefundSettings) -> tuple[str, str, str]:
    """What is chosen now: of debts, of rewards, of visits."""
    clamps = settings.debt_rule == points_pb2.DEBT_RULE_CLAMP_ZERO
    keeps = settings.reward_on_refund == points_pb2.REWARD_ON_REFUND_KEEP
    literal = settings.visit_refund_basis == points_pb2.VISIT_REFUND_BASIS_REFUNDED
    return (
        "clamp" if clamps else "allow",
        "keep" if keeps else "return",
        "refunded" if literal else "remaining",
    )


def refund_words(desk: Speaker, settings: RefundSettings) -> list[str]:
    """The three choices of the program, in plain words."""
    chosen = refund_choices(settings)
    return [
        desk.say(dict(choices)[value])
        for choices, value in zip((DEBT, REWARDS, VISITS), chosen, strict=True)
    ]
