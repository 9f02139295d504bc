"""The given words of every message, in both languages.

Words of SMS keep to letters that GSM-7 holds (é è à ù; no ê, ç or curly apostrophe), so that one
message is one segment where a name does not ask for more. E-mail is set as French is in Quebec: an
unbreakable space before a colon and inside of guillemets, a typographic apostrophe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from services.messaging.domain.chain import Language
from services.messaging.domain.consent import Channel

# Answers to keywords, by what is said.
STOPPED = "stopped"
STARTED = "started"
HELP = "help"
# What nobody understands, and a keyword of a chain that has no text-to-join any more.
UNKNOWN = "unknown"
NO_MORE_JOINING = "no_more_joining"

# Kind or answer, channel, language.
Key: TypeAlias = tuple[str, Channel, Language]

# What a program is called that nobody named; points writes the French words (DEFAULT_NAME there).
UNNAMED_PROGRAM: Mapping[Language, str] = {Language.FR: "Vos points", Language.EN: "Your points"}

SUBJECTS: Mapping[Key, str] = {
    ("ONE_TIME_CODE", Channel.EMAIL, Language.FR): "Votre code pour {{ chain }}",
    ("ONE_TIME_CODE", Channel.EMAIL, Language.EN): "Your code for {{ chain }}",
    ("WELCOME", Channel.EMAIL, Language.FR): "Bienvenue chez {{ chain }}",
    ("WELCOME", Channel.EMAIL, Language.EN): "Welcome to {{ chain }}",
    ("RECEIPT", Channel.EMAIL, Language.FR): "{{ chain }}\u00a0: {{ points }} {{ term }}",
    ("RECEIPT", Channel.EMAIL, Language.EN): "{{ chain }}: {{ points }} {{ term }}",
    ("STATUS", Channel.EMAIL, Language.FR): "Votre solde chez {{ chain }}",
    ("STATUS", Channel.EMAIL, Language.EN): "Your balance at {{ chain }}",
    ("DEDUCTION", Channel.EMAIL, Language.FR): "Votre solde chez {{ chain }} a changé",
    ("DEDUCTION", Channel.EMAIL, Language.EN): "Your balance at {{ chain }} has changed",
    ("TIER_CHANGE", Channel.EMAIL, Language.FR): "{{ chain }}\u00a0: votre niveau est {{ tier }}",
    ("TIER_CHANGE", Channel.EMAIL, Language.EN): "{{ chain }}: your tier is {{ tier }}",
    ("EXPIRY_WARNING", Channel.EMAIL, Language.FR): (
        "{{ chain }}\u00a0: {{ points }} {{ term }} à utiliser jusqu’au {{ last_day }}"
    ),
    ("EXPIRY_WARNING", Channel.EMAIL, Language.EN): (
        "{{ chain }}: {{ points }} {{ term }} to use by {{ last_day }}"
    ),
    ("OFFER", Channel.EMAIL, Language.FR): "{{ chain }}\u00a0: {{ offer }}",
    ("OFFER", Channel.EMAIL, Language.EN): "{{ chain }}: {{ offer }}",
    ("BIRTHDAY", Channel.EMAIL, Language.FR): "Joyeux anniversaire de {{ chain }}",
    ("BIRTHDAY", Channel.EMAIL, Language.EN): "Happy birthday from {{ chain }}",
}

BODIES: Mapping[Key, str] = {
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
        "{{ chain }}: vous voilà inscrit(e)"
        "{% if points %} avec {{ points }} {{ term }}{% endif %}! Vos points: {{ link }} "
        "Répondez ARRET pour cesser, AIDE pour de l'aide."
    ),
    ("WELCOME", Channel.SMS, Language.EN): (
        "{{ chain }}: you are enrolled"
        "{% if points %} with {{ points }} {{ term }}{% endif %}! "
        "Your points: {{ link }} Reply STOP to stop, HELP for help."
    ),
    ("WELCOME", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\nVous voilà inscrit(e) au programme de fidélité de {{ chain }}.\n\n"
        "{% if points %}Déjà {{ points }} {{ term }}!\n\n{% endif %}"
        "Vos points et vos récompenses\u00a0: {{ link }}\n\n"
        "Vous réglez vos messages, ou les arrêtez, dans «\u00a0mon compte\u00a0» "
        "à la même adresse.\n\n"
        "{{ chain }}"
    ),
    ("WELCOME", Channel.EMAIL, Language.EN): (
        "Hello,\n\nYou are enrolled in the loyalty program of {{ chain }}.\n\n"
        "{% if points %}Already {{ points }} {{ term }}!\n\n{% endif %}"
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
    (UNKNOWN, Channel.SMS, Language.FR): (
        "{{ chain }}: nous ne lisons pas les réponses ici."
        "{% if keyword %} {{ keyword }} pour vous inscrire,{% endif %} "
        "AIDE pour de l'aide, ARRET pour cesser."
    ),
    (UNKNOWN, Channel.SMS, Language.EN): (
        "{{ chain }}: nobody reads replies here."
        "{% if keyword %} {{ keyword }} to join,{% endif %} HELP for help, STOP to stop."
    ),
    (NO_MORE_JOINING, Channel.SMS, Language.FR): (
        "{{ chain }}: on ne s'inscrit plus par texto. Demandez au salon comment vous inscrire."
        "{% if phone %} {{ phone }}{% endif %}"
    ),
    (NO_MORE_JOINING, Channel.SMS, Language.EN): (
        "{{ chain }}: joining by text has ended. Ask the salon how to join."
        "{% if phone %} {{ phone }}{% endif %}"
    ),
    (HELP, Channel.SMS, Language.FR): (
        "{{ chain }}, fidélité.{% if phone %} Pour nous joindre: {{ phone }}.{% endif %} "
        "Vos points et vos messages: {{ link }} ARRET pour cesser, OUI pour reprendre."
    ),
    (HELP, Channel.SMS, Language.EN): (
        "{{ chain }}, loyalty.{% if phone %} To reach us: {{ phone }}.{% endif %} "
        "Your points and messages: {{ link }} STOP to stop, YES to start again."
    ),
    ("TEXT_TO_JOIN", Channel.SMS, Language.FR): (
        "{{ chain }}: inscription: {{ link }} ARRET pour cesser."
    ),
    ("TEXT_TO_JOIN", Channel.SMS, Language.EN): ("{{ chain }}: join: {{ link }} STOP to stop."),
    ("RECEIPT", Channel.SMS, Language.FR): (
        "{{ chain }}: {% if first %}vous voilà inscrit(e) et {% endif %}"
        "vous gagnez {{ points }} {{ term }}. Solde: {{ balance }}. {{ link }}"
    ),
    ("RECEIPT", Channel.SMS, Language.EN): (
        "{{ chain }}: {% if first %}you are enrolled and {% endif %}"
        "you earned {{ points }} {{ term }}. Balance: {{ balance }}. {{ link }}"
    ),
    ("RECEIPT", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\n{% if first %}Vous voilà inscrit(e) au programme de fidélité de "
        "{{ chain }}.\n\n{% endif %}"
        "Vous gagnez {{ points }} {{ term }}. Votre solde est de {{ balance }}.\n\n"
        "Vos récompenses et votre historique\u00a0: {{ link }}\n\n{{ chain }}"
    ),
    ("RECEIPT", Channel.EMAIL, Language.EN): (
        "Hello,\n\n{% if first %}You are enrolled in the loyalty program of "
        "{{ chain }}.\n\n{% endif %}"
        "You earned {{ points }} {{ term }}. Your balance is {{ balance }}.\n\n"
        "Your rewards and your history: {{ link }}\n\n{{ chain }}"
    ),
    ("STATUS", Channel.SMS, Language.FR): (
        "{{ chain }}: votre solde est de {{ balances }}. {{ link }}"
    ),
    ("STATUS", Channel.SMS, Language.EN): "{{ chain }}: your balance is {{ balances }}. {{ link }}",
    ("STATUS", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\nVotre solde est de {{ balances }}.\n\n"
        "Vos récompenses et votre historique\u00a0: {{ link }}\n\n{{ chain }}"
    ),
    ("STATUS", Channel.EMAIL, Language.EN): (
        "Hello,\n\nYour balance is {{ balances }}.\n\n"
        "Your rewards and your history: {{ link }}\n\n{{ chain }}"
    ),
    ("DEDUCTION", Channel.SMS, Language.FR): (
        "{{ chain }}: {{ points }} {{ term }} de moins à votre compte. Solde: {{ balance }}. "
        "{{ link }}"
    ),
    ("DEDUCTION", Channel.SMS, Language.EN): (
        "{{ chain }}: {{ points }} {{ term }} taken off your account. Balance: {{ balance }}. "
        "{{ link }}"
    ),
    ("DEDUCTION", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\nLe salon a retiré {{ points }} {{ term }} de votre compte. "
        "Votre solde est de {{ balance }}.\n\nVotre historique\u00a0: {{ link }}\n\n{{ chain }}"
    ),
    ("DEDUCTION", Channel.EMAIL, Language.EN): (
        "Hello,\n\nThe salon took {{ points }} {{ term }} off your account. "
        "Your balance is {{ balance }}.\n\nYour history: {{ link }}\n\n{{ chain }}"
    ),
    ("TIER_CHANGE", Channel.SMS, Language.FR): (
        "{{ chain }}: {% if risen %}bravo, vous passez au niveau {{ tier }}!"
        "{% else %}votre niveau est maintenant {{ tier }}.{% endif %} {{ link }}"
    ),
    ("TIER_CHANGE", Channel.SMS, Language.EN): (
        "{{ chain }}: {% if risen %}well done, you have reached {{ tier }}!"
        "{% else %}your tier is now {{ tier }}.{% endif %} {{ link }}"
    ),
    ("TIER_CHANGE", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\n{% if risen %}Bravo, vous passez au niveau {{ tier }}!"
        "{% else %}Votre niveau est maintenant {{ tier }}.{% endif %}\n\n"
        "Ce qu’il vous apporte\u00a0: {{ link }}\n\n{{ chain }}"
    ),
    ("TIER_CHANGE", Channel.EMAIL, Language.EN): (
        "Hello,\n\n{% if risen %}Well done, you have reached {{ tier }}!"
        "{% else %}Your tier is now {{ tier }}.{% endif %}\n\n"
        "What it brings you: {{ link }}\n\n{{ chain }}"
    ),
    ("EXPIRY_WARNING", Channel.SMS, Language.FR): (
        "{{ chain }}: {{ points }} {{ term }} {% if points > 1 %}expirent{% else %}expire"
        "{% endif %} le {{ last_day }}. {{ link }}"
    ),
    ("EXPIRY_WARNING", Channel.SMS, Language.EN): (
        "{{ chain }}: {{ points }} {{ term }} {% if points > 1 %}expire{% else %}expires"
        "{% endif %} on {{ last_day }}. {{ link }}"
    ),
    ("EXPIRY_WARNING", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\n{{ points }} {{ term }} {% if points > 1 %}expirent{% else %}expire"
        "{% endif %} le {{ last_day }}.\n\nVos récompenses\u00a0: {{ link }}\n\n{{ chain }}"
    ),
    ("EXPIRY_WARNING", Channel.EMAIL, Language.EN): (
        "Hello,\n\n{{ points }} {{ term }} {% if points > 1 %}expire{% else %}expires"
        "{% endif %} on {{ last_day }}.\n\nYour rewards: {{ link }}\n\n{{ chain }}"
    ),
    ("COLLECT_EMAIL", Channel.SMS, Language.FR): (
        "{{ chain }}: {{ points }} {{ term }} pour votre adresse courriel! "
        'Ajoutez-la dans "mon compte": {{ link }}'
    ),
    ("COLLECT_EMAIL", Channel.SMS, Language.EN): (
        "{{ chain }}: {{ points }} {{ term }} for your e-mail address! "
        'Add it under "My account": {{ link }}'
    ),
    ("OFFER", Channel.SMS, Language.FR): "{{ chain }}: {{ offer }}. {{ link }}",
    ("OFFER", Channel.SMS, Language.EN): "{{ chain }}: {{ offer }}. {{ link }}",
    ("OFFER", Channel.EMAIL, Language.FR): (
        "Bonjour,\n\n{{ offer }}\n{% if description %}\n{{ description }}\n{% endif %}"
        "{% if exclusion %}\n{{ exclusion }}\n{% endif %}"
        "\nÀ prendre ici\u00a0: {{ link }}\n\n{{ chain }}"
    ),
    ("OFFER", Channel.EMAIL, Language.EN): (
        "Hello,\n\n{{ offer }}\n{% if description %}\n{{ description }}\n{% endif %}"
        "{% if exclusion %}\n{{ exclusion }}\n{% endif %}"
        "\nTake it here: {{ link }}\n\n{{ chain }}"
    ),
    ("BIRTHDAY", Channel.SMS, Language.FR): (
        "{{ chain }}: joyeux anniversaire{% if name %}, {{ name }}{% endif %}!"
        "{% if offer %} {{ offer }}.{% endif %} {{ link }}"
    ),
    ("BIRTHDAY", Channel.SMS, Language.EN): (
        "{{ chain }}: happy birthday{% if name %}, {{ name }}{% endif %}!"
        "{% if offer %} {{ offer }}.{% endif %} {{ link }}"
    ),
    ("BIRTHDAY", Channel.EMAIL, Language.FR): (
        "Joyeux anniversaire{% if name %}, {{ name }}{% endif %}!\n\n"
        "{% if offer %}Pour vous\u00a0: {{ offer }}\n\n{% endif %}{{ link }}\n\n{{ chain }}"
    ),
    ("BIRTHDAY", Channel.EMAIL, Language.EN): (
        "Happy birthday{% if name %}, {{ name }}{% endif %}!\n\n"
        "{% if offer %}For you: {{ offer }}\n\n{% endif %}{{ link }}\n\n{{ chain }}"
    ),
}

# At the end of every text that advertises: each must say how to stop (D18).
STOP: Mapping[Language, str] = {
    Language.FR: "ARRET pour cesser",
    Language.EN: "STOP to stop",
}

# Below the welcome of whoever has not yet shown that the address is hers (D18).
CONFIRM: Mapping[Language, str] = {
    Language.FR: "Cette adresse est bien la vôtre? Confirmez-la ici\u00a0: {url}",
    Language.EN: "Is this address yours? Confirm it here: {url}",
}

# Below every e-mail that may be refused, with the link that does it (RFC 8058).
UNSUBSCRIBE: Mapping[Language, str] = {
    Language.FR: "Ne plus recevoir ces courriels\u00a0: {url}",
    Language.EN: "Stop these e-mails: {url}",
}
