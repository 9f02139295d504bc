"""The words for what messaging refuses; keys are its codes in capitals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.refusal_words import Words

MESSAGE_REFUSALS: Final[Mapping[str, Words]] = {
    "MESSAGE_STOPPED": Words(
        status=409,
        public="BAD_REQUEST",
        en="This person asked to get no more messages this way. She alone can change that, by "
        "texting YES or in “My account”.",
        fr="Cette personne ne veut plus de messages par cette voie. Elle seule peut en décider "
        "autrement, en textant OUI ou dans « mon compte ».",
    ),
    "CONTACT_MISSING": Words(
        status=409,
        public="BAD_REQUEST",
        en="This member has given neither a phone number nor an e-mail address.",
        fr="Ce membre n’a donné ni numéro de téléphone ni adresse courriel.",
    ),
    "QUIET_HOURS_INVALID": Words(
        status=400,
        public="INVALID_TIME",
        en="Write quiet hours as 21:00 and 08:00, at most {hours_max} hours; leave both empty for "
        "none.",
        fr="Écrivez les heures de silence comme 21:00 et 08:00, au plus {hours_max} heures ; "
        "laissez les deux vides pour n’en avoir aucune.",
    ),
    "RECEIPT_MODE_INVALID": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="Choose when receipts are sent: always, the first time, or never.",
        fr="Choisissez quand les reçus partent : toujours, la première fois ou jamais.",
    ),
    "TEMPLATE_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="These words cannot be used: look at “{what}” in line {line}. Only the listed names and "
        "{{% if %}} are possible.",
        fr="Ce texte ne peut pas servir : voyez « {what} » à la ligne {line}. Seuls les noms de la "
        "liste et {{% if %}} sont possibles.",
    ),
    "TEMPLATE_EMPTY": Words(
        status=400,
        public="VALUE_EMPTY",
        en="Write what the message says.",
        fr="Écrivez ce que dit le message.",
    ),
    "TEMPLATE_TOO_LONG": Words(
        status=400,
        public="VALUE_TOO_LONG",
        en="These words are too long: at most {length_max} characters.",
        fr="Ce texte est trop long : au plus {length_max} caractères.",
    ),
    "TEMPLATE_UNKNOWN": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such message whose words you can choose.",
        fr="Il n’y a pas de tel message dont vous choisissez le texte.",
    ),
    "TOKEN_INVALID": Words(
        status=404,
        public="NOT_FOUND",
        en="This link is not one of ours, or not all of it was copied.",
        fr="Ce lien n’est pas de nous ou n’est pas entier.",
    ),
    "MEMBER_UNKNOWN": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such member here.",
        fr="Il n’y a pas de tel membre ici.",
    ),
    "CONSENT_BELONGS_TO_MEMBER": Words(
        status=403,
        public="FORBIDDEN",
        en="Only the member can change this. You can send her the link to “mon compte”.",
        fr="Seule la personne peut changer ceci. Vous pouvez lui envoyer le lien vers "
        "« mon compte ».",
    ),
    "EMAIL_MISSING": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="There is no e-mail address to write to. Add one first.",
        fr="Il n’y a pas d’adresse courriel où écrire. Ajoutez-en une d’abord.",
    ),
    "WORDING_VERSION_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="A consent needs the version of the words that were agreed to.",
        fr="Un consentement doit dire la version du texte accepté.",
    ),
    "PROVIDER_MESSAGE_ID_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="An inbound text needs its provider’s id.",
        fr="Un texto reçu doit porter l’identifiant de son fournisseur.",
    ),
    "PLAN_REQUIRED": Words(
        status=403,
        en="Your plan does not have this: it comes with Essentiel or Pro. Contact us to change it.",
        fr="Votre forfait ne le permet pas: il faut le forfait Essentiel ou Pro. Contactez-nous "
        "pour en changer.",
    ),
    "PRO_REQUIRED": Words(
        status=403,
        public="PLAN_REQUIRED",
        en="Your plan does not have this: it comes with Pro. Contact us to change it.",
        fr="Votre forfait ne le permet pas: il faut le forfait Pro. Contactez-nous pour en "
        "changer.",
    ),
    "OPERATOR_REQUIRED": Words(
        status=403,
        public="FORBIDDEN",
        en="We set this number up for you. Contact us.",
        fr="Nous préparons ce numéro pour vous. Contactez-nous.",
    ),
    "NUMBER_TAKEN": Words(
        status=409,
        public="CONFLICT",
        en="This number belongs to another chain. Choose another one.",
        fr="Ce numéro est celui d’une autre chaîne. Choisissez-en un autre.",
    ),
    "NUMBER_MISSING": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no number yet. Give the chain its number first.",
        fr="Il n’y a pas encore de numéro. Donnez d’abord son numéro à la chaîne.",
    ),
    "WORDS_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="The message says nothing yet. Write a text, or an e-mail.",
        fr="Le message ne dit encore rien. Écrivez un texto ou un courriel.",
    ),
    "OFFER_ENDED": Words(
        status=409,
        public="CONFLICT",
        en="This offer is over on that day: nobody could take it. Change its end date or the time "
        "of sending.",
        fr="Cette offre est terminée ce jour-là : personne ne pourrait la prendre. Changez sa date "
        "de fin ou le moment de l’envoi.",
    ),
    "SEND_AT_PAST": Words(
        status=400,
        public="INVALID_TIME",
        en="This time is past. Choose a later one, or none to send now.",
        fr="Ce moment est passé. Choisissez-en un autre, ou aucun pour envoyer maintenant.",
    ),
    "POSTAL_ADDRESS_MISSING": Words(
        status=409,
        public="BAD_REQUEST",
        en="An e-mail that advertises must name your postal address. Enter it under “Design and "
        "image”, then send.",
        fr="Un courriel d’offre doit dire votre adresse postale. Entrez-la dans « Conception et "
        "image », puis envoyez.",
    ),
    "PROOF_INVALID": Words(
        status=404,
        public="NOT_FOUND",
        en="This link is not one of ours, or the address has changed since.",
        fr="Ce lien n’est pas de nous, ou l’adresse a changé depuis.",
    ),
    "SCHEDULED_TYPE_INVALID": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="A scheduled message is of the type BIRTHDAY.",
        fr="Un message planifié est du type BIRTHDAY.",
    ),
    "AUDIENCE_INVALID": Words(
        status=400,
        public="ARRAY_LENGTH_TOO_LONG",
        en="At most {limit_max} can be named one by one. Use the filters instead.",
        fr="On peut en nommer au plus {limit_max} un à un. Utilisez plutôt les filtres.",
    ),
    "KEYWORD_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A keyword is one word of {length_min} to {length_max} letters or digits.",
        fr="Un mot-clé est un seul mot de {length_min} à {length_max} lettres ou chiffres.",
    ),
    "KEYWORD_RESERVED": Words(
        status=400,
        public="INVALID_VALUE",
        en="This word already means stop, yes or help. Choose another keyword.",
        fr="Ce mot veut déjà dire arrêt, oui ou aide. Choisissez un autre mot-clé.",
    ),
}
