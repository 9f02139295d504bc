"""What a changed program says now, section by section, and the message prepared of it (SQ-51)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from loyalty.points.v1.points_pb2 import Program
from loyalty.rewards.v1.rewards_pb2 import ListRewardDefinitionsRequest
from loyalty.types.v1 import types_pb2
from loyalty.types.v1.types_pb2 import ProgramSection

from services.gateway.admin.promotions import (
    RUNNING,
    incentive_words,
    promotions_of,
    when_words,
)
from services.gateway.admin.rule_words import sections_of
from services.gateway.web.i18n import N_, program_name
from services.gateway.web.speaker import Speaker
from services.gateway.web.typesetting import straight

HEADINGS: Final = {
    types_pb2.PROGRAM_SECTION_NAME: N_("Nom du programme"),
    types_pb2.PROGRAM_SECTION_STATUS: N_("État du programme"),
    types_pb2.PROGRAM_SECTION_EARNING: N_("Gain de points"),
    types_pb2.PROGRAM_SECTION_EXPIRY: N_("Expiration"),
    types_pb2.PROGRAM_SECTION_TIERS: N_("Niveaux"),
    types_pb2.PROGRAM_SECTION_REFUNDS: N_("Remboursements"),
    types_pb2.PROGRAM_SECTION_SALONS: N_("Salons du programme"),
    types_pb2.PROGRAM_SECTION_PAUSE: N_("Minutes entre deux points d'un même client"),
    types_pb2.PROGRAM_SECTION_CODES: N_("Codes"),
    types_pb2.PROGRAM_SECTION_PROMOTIONS: N_("Promotions"),
    types_pb2.PROGRAM_SECTION_REWARDS: N_("Récompenses"),
}
# Where the page of the program says the same.
_ADDRESSES: Final = {
    types_pb2.PROGRAM_SECTION_EARNING: ("earning", "eligible"),
    types_pb2.PROGRAM_SECTION_EXPIRY: ("expiry",),
    types_pb2.PROGRAM_SECTION_TIERS: ("tiers",),
    types_pb2.PROGRAM_SECTION_REFUNDS: ("refunds",),
}
# Beyond three texts, the rules are better read by the link.
SMS_LENGTH_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section that changed: its heading, and what it says now."""

    heading: str
    lines: Sequence[str]


async def parts_of(
    speaker: Speaker, program: Program, sections: Iterable[ProgramSection.ValueType]
) -> list[Part]:
    """The sections that changed, as they are now, in the listener's language."""
    wanted = [one for one in sections if one in HEADINGS]
    rules: dict[str, Sequence[str]] = {}
    if any(one in _ADDRESSES for one in wanted):
        found = await sections_of(speaker, program, promotions_open=0)
        rules = {section.address: section.lines for section in found}
    parts = []
    for one in wanted:
        lines = [line for address in _ADDRESSES.get(one, ()) for line in rules.get(address, ())]
        if one == types_pb2.PROGRAM_SECTION_PROMOTIONS:
            lines = await _promotions(speaker, program)
        elif one == types_pb2.PROGRAM_SECTION_REWARDS:
            lines = await _rewards(speaker, program)
        elif one == types_pb2.PROGRAM_SECTION_SALONS:
            lines = [await _salons(speaker, program)]
        elif one in _SIMPLE:
            lines = [_SIMPLE[one](speaker, program)]
        parts.append(Part(heading=speaker.say(HEADINGS[one]), lines=lines))
    return parts


def _named(speaker: Speaker, program: Program) -> str:
    return program_name(program.name, speaker.language)


def _name(speaker: Speaker, program: Program) -> str:
    words = N_("Il s'appelle « %(name)s »; un point: %(one)s, plusieurs: %(other)s.")
    return speaker.say(
        words, name=_named(speaker, program), one=program.term_one, other=program.term_other
    )


def _status(speaker: Speaker, program: Program) -> str:
    return speaker.say(
        N_("Le programme est actif.") if program.active else N_("Le programme est arrêté.")
    )


def _pause(speaker: Speaker, program: Program) -> str:
    minutes = program.cool_down_seconds // 60
    if not minutes:
        return speaker.say(N_("Sans limite entre deux points."))
    return speaker.count("%(num)s minute.", "%(num)s minutes.", minutes)


def _codes(speaker: Speaker, program: Program) -> str:
    return speaker.say(N_("Un code a changé. Demandez le nouveau à la direction."))


_SIMPLE: Final[dict[int, Callable[[Speaker, Program], str]]] = {
    types_pb2.PROGRAM_SECTION_NAME: _name,
    types_pb2.PROGRAM_SECTION_STATUS: _status,
    types_pb2.PROGRAM_SECTION_PAUSE: _pause,
    types_pb2.PROGRAM_SECTION_CODES: _codes,
}


async def _promotions(speaker: Speaker, program: Program) -> list[str]:
    found = [one for one in await promotions_of(speaker, program.id) if one.status in RUNNING]
    if not found:
        return [speaker.say(N_("Aucune promotion en cours."))]
    return [
        f"{one.name}: {', '.join([incentive_words(speaker, one), *when_words(speaker, one)])}."
        for one in found
    ]


async def _rewards(speaker: Speaker, program: Program) -> list[str]:
    answer = await speaker.deps.clients.rewards.ListRewardDefinitions(
        ListRewardDefinitionsRequest(chain_id=speaker.chain_id, program_id=program.id)
    )
    if not answer.definitions:
        return [speaker.say(N_("Aucune récompense."))]
    return [
        f"{speaker.count('%(num)s point', '%(num)s points', one.points)}: {one.name}."
        for one in answer.definitions
    ]


async def _salons(speaker: Speaker, program: Program) -> str:
    if not program.salon_ids:
        return speaker.say(N_("Dans tous les salons."))
    salons = await speaker.deps.salons.of(speaker.chain_id)
    names = [salon.name for salon in salons if salon.id in set(program.salon_ids)]
    return speaker.say(N_("Dans ces salons: %(names)s."), names=", ".join(names))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A message to members in one language, for its owner to change and to send."""

    sms_body: str
    email_subject: str
    email_body: str


async def prepared(
    speaker: Speaker, program: Program, sections: Iterable[ProgramSection.ValueType]
) -> Prepared:
    """The message that tells members what of a program is new; nothing is sent by this."""
    parts = await parts_of(speaker, program, sections)
    name = _plain(_named(speaker, program))
    lines = [_ended(_plain(line)) for part in parts for line in part.lines]
    opening = speaker.say(N_("{{ chain }}: le programme %(name)s change."), name=name)
    details = speaker.say(N_("Tous les détails: {{ link }}"))
    sms = " ".join([opening, *lines, details])
    if len(sms) > SMS_LENGTH_MAX:
        sms = f"{opening} {details}"
    told = [
        "\n".join([f"{_plain(part.heading)}:", *(f"- {_ended(_plain(one))}" for one in part.lines)])
        for part in parts
    ]
    letter = [
        speaker.say(N_("Bonjour{% if name %} {{ name }}{% endif %},")),
        speaker.say(
            N_("Le programme %(name)s de {{ chain }} change. Voici ce qui vaut maintenant:"),
            name=name,
        ),
        *told,
        details,
    ]
    return Prepared(
        sms_body=straight(sms),
        email_subject=speaker.say(N_("{{ chain }}: du nouveau dans %(name)s"), name=name),
        email_body="\n\n".join(letter),
    )


def _ended(line: str) -> str:
    return line if line.endswith((".", "!", "?")) else f"{line}."


# Signs that make of one text two, and those that a template reads as its own.
_PLAIN: Final = str.maketrans(
    {
        "\u00a0": " ",
        "\u202f": " ",
        "\u2019": "'",
        "\u2212": "-",
        "×": "x",
        "{": "(",
        "}": ")",
    }
)


def _plain(text: str) -> str:
    """Words that a text carries cheaply: "1 point par « Coupe »" with straight quotes."""
    words = text.translate(_PLAIN)
    for before, after in (("« ", '"'), (" »", '"'), ("«", '"'), ("»", '"'), ("“", '"'), ("”", '"')):
        words = words.replace(before, after)
    return words
