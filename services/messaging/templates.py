"""The words of every message, in both languages, rendered in a sandbox.

Words of SMS keep to letters that GSM-7 holds (é è à ù; no ê, ç or curly apostrophe), so that one
message is one segment where a name does not ask for more.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

from services.messaging.domain import segments
from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel
from services.messaging.domain.delivery import MessageKind

# Who speaks where no single chain does (D26).
PLATFORM_NAME = "Mèche"
# A longer name would push a welcome into another segment.
NAME_LENGTH_MAX = 60

# Answers to keywords, by what is said.
STOPPED = "stopped"
STARTED = "started"
HELP = "help"


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A message as it is read. SMS has no subject."""

    subject: str
    body: str


_Key = tuple[str, Channel, Language]

_SUBJECTS: Mapping[_Key, str] = {
    ("ONE_TIME_CODE", Channel.EMAIL, Language.FR): "Votre code pour {{ chain }}",
    ("ONE_TIME_CODE", Channel.EMAIL, Language.EN): "Your code for {{ chain }}",
    ("WELCOME", Channel.EMAIL, Language.FR): "Bienvenue chez {{ chain }}",
    ("WELCOME", Channel.EMAIL, Language.EN): "Welcome to {{ chain }}",
}

_BODIES: Mapping[_Key, str] = {
    ("ONE_TIME_CODE", Channel.SMS, Language.FR): (
        "{{ chain }}: votre code est {{ code }}. Ne le donnez à personne."
    ),
    ("ONE_TIME_CODE", Channel.SMS, Language.EN): (
        "{{ chain }}: your code is {{ code }}. Give it to nobody."
    ),
    ("ONE_TIME_CODE", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\nVotre code est {{ code }}.\n\n"
        "Ne le donnez à personne. Si vous n’avez rien demandé, oubliez ce courriel.\n\n{{ chain }}"
    ),
    ("ONE_TIME_CODE", Channel.EMAIL, Language.EN): (
        "Hello,\n\nYour code is {{ code }}.\n\n"
        "Give it to nobody. If you asked for nothing, forget this e-mail.\n\n{{ chain }}"
    ),
    ("WELCOME", Channel.SMS, Language.FR): (
        "{{ chain }}: vous voilà inscrit(e)! Vos points: {{ link }} "
        "Répondez ARRET pour cesser, AIDE pour de l'aide."
    ),
    ("WELCOME", Channel.SMS, Language.EN): (
        "{{ chain }}: you are enrolled! Your points: {{ link }} Reply STOP to stop, HELP for help."
    ),
    ("WELCOME", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\nVous voilà inscrit(e) au programme de fidélité de {{ chain }}.\n\n"
        "Vos points et vos récompenses : {{ link }}\n\n"
        "Vous réglez vos messages, ou les arrêtez, dans « mon compte » à la même adresse.\n\n"
        "{{ chain }}"
    ),
    ("WELCOME", Channel.EMAIL, Language.EN): (
        "Hello,\n\nYou are enrolled in the loyalty program of {{ chain }}.\n\n"
        "Your points and rewards: {{ link }}\n\n"
        "Choose your messages, or stop them, under “My account” at the same address.\n\n"
        "{{ chain }}"
    ),
    (STOPPED, Channel.SMS, Language.FR): (
        "{{ chain }}: c'est fait, vous ne recevrez plus de textos. "
        "Pour en recevoir de nouveau, répondez OUI."
    ),
    (STOPPED, Channel.SMS, Language.EN): (
        "{{ chain }}: done, you will receive no more texts. Reply YES to receive them again."
    ),
    (STARTED, Channel.SMS, Language.FR): (
        "{{ chain }}: c'est fait, vous recevrez nos textos. Répondez ARRET pour cesser."
    ),
    (STARTED, Channel.SMS, Language.EN): (
        "{{ chain }}: done, you will receive our texts. Reply STOP to stop."
    ),
    (HELP, Channel.SMS, Language.FR): (
        "{{ chain }}, fidélité. Vos points, vos messages et nous joindre: {{ link }} "
        "Répondez ARRET pour cesser, OUI pour reprendre."
    ),
    (HELP, Channel.SMS, Language.EN): (
        "{{ chain }}, loyalty. Your points, your messages, and how to reach us: {{ link }} "
        "Reply STOP to stop, YES to start again."
    ),
}


@cache
def _environment() -> SandboxedEnvironment:
    # Nothing here becomes HTML: escaping would put "&amp;" into a salon's name on a phone.
    return SandboxedEnvironment(autoescape=False, undefined=StrictUndefined)


@cache
def _template(text: str) -> Template:
    return _environment().from_string(text)


def render(
    kind: MessageKind,
    channel: Channel,
    languages: Sequence[Language],
    *,
    answer: str = "",
    params: Mapping[str, str],
) -> Words:
    """The words of a message, one language after the other.

    `answer` says which keyword is answered. Values are data, never templates: they lose control
    characters and line breaks, so that a name cannot write a header or a second line.
    """
    name = answer if kind is MessageKind.KEYWORD_ANSWER else kind.value
    values = {key: _one_line(value) for key, value in params.items()}
    bodies = [_template(_BODIES[name, channel, one]).render(values) for one in languages]
    if channel is Channel.SMS:
        return Words(subject="", body=segments.plain("\n".join(bodies)))
    subjects = [_template(_SUBJECTS[name, channel, one]).render(values) for one in languages]
    return Words(subject=" / ".join(subjects), body="\n\n".join(bodies))


def short_name(name: str) -> str:
    """A chain's name as a message has room for it."""
    text = _one_line(name)
    return text if len(text) <= NAME_LENGTH_MAX else f"{text[: NAME_LENGTH_MAX - 3].rstrip()}..."


def _one_line(value: str) -> str:
    shown = "".join(
        " " if unicodedata.category(sign) in {"Cc", "Zl", "Zp"} else sign for sign in value
    )
    return " ".join(shown.split())
