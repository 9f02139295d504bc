"""What the gateway itself refuses: status, public code, and words in two languages.

Keys are stable codes in capitals; the services' own stand in `service_words.py`. Words
say what is wrong and what to do next. `{name}` places are filled from the refusal's parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How one refusal is told."""

    status: int
    en: str
    fr: str
    # The code that the API shows, where it is not the refusal's own.
    public: str = ""


# Refusals that the gateway itself speaks, and those that every service may speak.
OWN_REFUSALS: Final[Mapping[str, Words]] = {
    "UNAUTHORIZED": Words(
        status=401,
        en="This request needs a valid key: send `Authorization: Bearer …`.",
        fr="Cette demande exige une clé valide : envoyez `Authorization: Bearer …`.",
    ),
    "FORBIDDEN": Words(
        status=403,
        en="Your role does not allow this. Ask an owner of the salon.",
        fr="Votre rôle ne le permet pas. Demandez à un propriétaire du salon.",
    ),
    "INSUFFICIENT_SCOPES": Words(
        status=403,
        en="This key lacks a permission: {scopes}.",
        fr="Il manque une permission à cette clé : {scopes}.",
    ),
    "CROSS_SITE": Words(
        status=403,
        public="FORBIDDEN",
        en="This request came from another site. Open the page again and retry.",
        fr="Cette demande vient d’un autre site. Rouvrez la page et réessayez.",
    ),
    "TABLET_UNKNOWN": Words(
        status=401,
        public="UNAUTHORIZED",
        en="This tablet is not registered. Open the tablet URL that the owner finds in the panel.",
        fr="Cette tablette n’est pas enregistrée. Ouvrez l’URL de la tablette qui se trouve dans "
        "le panneau du propriétaire.",
    ),
    "NOT_FOUND": Words(
        status=404,
        en="There is nothing with this id here.",
        fr="Il n’y a rien sous cet identifiant ici.",
    ),
    "PAGE_NOT_FOUND": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such address.",
        fr="Cette adresse n’existe pas.",
    ),
    "CALL_NOT_FOUND": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such call. /docs lists those that there are.",
        fr="Cet appel n’existe pas. /docs donne la liste de ceux qui existent.",
    ),
    "SANDBOX_ONLY": Words(
        status=404,
        public="NOT_FOUND",
        en="This call is there in a sandbox only; this key is of a live chain.",
        fr="Cet appel n’existe que dans un bac à sable; cette clé est celle d’une chaîne réelle.",
    ),
    "METHOD_NOT_ALLOWED": Words(
        status=405,
        en="This address answers {allowed} only.",
        fr="Cette adresse ne répond qu’à {allowed}.",
    ),
    "CONFLICT": Words(
        status=409,
        en="This cannot be done any more: the state has changed.",
        fr="Ce n’est plus possible : l’état a changé.",
    ),
    "REQUEST_TIMEOUT": Words(
        status=408,
        en="The request did not arrive in time. Send it again.",
        fr="La demande n’est pas arrivée à temps. Renvoyez-la.",
    ),
    "REQUEST_ENTITY_TOO_LARGE": Words(
        status=413,
        en="The request is too large: at most {bytes_max} bytes.",
        fr="La demande est trop grande : au plus {bytes_max} octets.",
    ),
    "UNSUPPORTED_MEDIA_TYPE": Words(
        status=415,
        en="Send the body as JSON with `Content-Type: application/json`.",
        fr="Envoyez le corps en JSON avec `Content-Type: application/json`.",
    ),
    "RATE_LIMITED": Words(
        status=429,
        en="Too many requests. Try again in {retry_after_seconds} s.",
        fr="Trop de demandes. Réessayez dans {retry_after_seconds} s.",
    ),
    "CODE_SENT_ALREADY": Words(
        status=429,
        public="RATE_LIMITED",
        en="A code was asked for just now. If one has come, type the newest; else ask again in "
        "{retry_after_seconds} s.",
        fr="Un code vient d’être demandé. S’il est arrivé, tapez le plus récent; sinon, "
        "redemandez-en un dans {retry_after_seconds} s.",
    ),
    "INTERNAL_SERVER_ERROR": Words(
        status=500,
        en="Something went wrong on our side. Try again; if it persists, tell us the request id.",
        fr="Un problème est survenu de notre côté. Réessayez; s’il persiste, donnez-nous "
        "l’identifiant de la demande.",
    ),
    "SERVICE_UNAVAILABLE": Words(
        status=503,
        en="The service is out of reach for a moment. Try again with the same key.",
        fr="Le service est momentanément hors d’atteinte. Réessayez avec la même clé.",
    ),
    "IDEMPOTENCY_KEY_REUSED": Words(
        status=400,
        en="This idempotency key was used with another request. Take a new key.",
        fr="Cette clé d’idempotence a servi pour une autre demande. Prenez une nouvelle clé.",
    ),
    "BAD_REQUEST": Words(
        status=400,
        en="The request cannot be understood.",
        fr="La demande ne peut pas être comprise.",
    ),
    "EXPECTED_JSON_BODY": Words(
        status=400,
        en="The body must be a JSON object in UTF-8, sent with `Content-Type: application/json`.",
        fr="Le corps doit être un objet JSON en UTF-8, envoyé avec `Content-Type: "
        "application/json`.",
    ),
    "JSON_MALFORMED": Words(
        status=400,
        public="EXPECTED_JSON_BODY",
        en="The body is not JSON any more from character {position} on. It must be a JSON object.",
        fr="Le corps cesse d’être du JSON au caractère {position}. Il doit être un objet JSON.",
    ),
    "MISSING_REQUIRED_PARAMETER": Words(
        status=400, en="This field is required.", fr="Ce champ est obligatoire."
    ),
    "INVALID_VALUE": Words(
        status=400,
        en="This value is not possible here.",
        fr="Cette valeur n’est pas possible ici.",
    ),
    "INVALID_TEXT": Words(
        status=400,
        public="INVALID_VALUE",
        en="This text holds characters that cannot be stored (control characters).",
        fr="Ce texte contient des caractères qui ne peuvent pas être conservés (caractères de "
        "contrôle).",
    ),
    "EXPECTED_STRING": Words(
        status=400, en="A text is expected here.", fr="Un texte est attendu ici."
    ),
    "EXPECTED_INTEGER": Words(
        status=400,
        en="A whole number is expected here, without quotes.",
        fr="Un nombre entier est attendu ici, sans guillemets.",
    ),
    "EXPECTED_BOOLEAN": Words(
        status=400, en="true or false is expected here.", fr="true ou false est attendu ici."
    ),
    "EXPECTED_OBJECT": Words(
        status=400, en="An object is expected here.", fr="Un objet est attendu ici."
    ),
    "EXPECTED_ARRAY": Words(
        status=400, en="A list is expected here.", fr="Une liste est attendue ici."
    ),
    "VALUE_EMPTY": Words(
        status=400, en="This must not be empty.", fr="Ce champ ne peut pas être vide."
    ),
    "VALUE_TOO_SHORT": Words(
        status=400,
        en="This is too short: at least {min_length} characters.",
        fr="C’est trop court : au moins {min_length} caractères.",
    ),
    "VALUE_TOO_LONG": Words(
        status=400,
        en="This is too long: at most {max_length} characters.",
        fr="C’est trop long : au plus {max_length} caractères.",
    ),
    "VALUE_TOO_LOW": Words(
        status=400,
        en="This is too low: {ge} or more.",
        fr="C’est trop bas : {ge} ou plus.",
    ),
    "VALUE_TOO_HIGH": Words(
        status=400,
        en="This is too high: {le} or less.",
        fr="C’est trop haut : {le} ou moins.",
    ),
    "VALUE_REGEX_MISMATCH": Words(
        status=400,
        en="The form that is expected here is {pattern}.",
        fr="La forme attendue ici est {pattern}.",
    ),
    "INVALID_ENUM_VALUE": Words(
        status=400,
        en="This must be one of: {expected}.",
        fr="Une de ces valeurs est attendue : {expected}.",
    ),
    "ARRAY_LENGTH_TOO_LONG": Words(
        status=400,
        en="This list is too long: at most {max_length} entries.",
        fr="Cette liste est trop longue : au plus {max_length} éléments.",
    ),
    "ARRAY_LENGTH_TOO_SHORT": Words(
        status=400,
        en="This list is too short: entries needed: {min_length}.",
        fr="Cette liste est trop courte : éléments requis : {min_length}.",
    ),
    "INVALID_TIME": Words(
        status=400,
        en="A time with its zone is expected here (RFC 3339), such as 2026-01-31T23:59:00Z.",
        fr="Une heure avec son fuseau est attendue ici (RFC 3339), par exemple "
        "2026-01-31T23:59:00Z.",
    ),
    "INVALID_TIME_RANGE": Words(
        status=400,
        en="The end of this period lies before its start.",
        fr="La fin de cette période précède son début.",
    ),
    "INVALID_DATE": Words(
        status=400,
        en="A date is expected here, such as 2026-01-31.",
        fr="Une date est attendue ici, par exemple 2026-01-31.",
    ),
    "CONFLICTING_PARAMETERS": Words(
        status=400,
        en="These fields cannot be sent together: {fields}.",
        fr="Ces champs ne peuvent pas être envoyés ensemble : {fields}.",
    ),
    "INVALID_CURSOR": Words(
        status=400,
        en="This cursor is not valid here. Start the list again without a cursor.",
        fr="Ce curseur n’est pas valide ici. Recommencez la liste sans curseur.",
    ),
    "INVALID_SQUARE_VERSION_FORMAT": Words(
        status=400,
        en="The Square-Version header needs the form YYYY-MM-DD.",
        fr="L’en-tête Square-Version doit avoir la forme AAAA-MM-JJ.",
    ),
    "NOT_SUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="This is not possible here: {what}.",
        fr="Ce n’est pas possible ici : {what}.",
    ),
    "ERASURE_NOT_OFFERED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Erasing a person is not offered by this version; nothing was deleted.",
        fr="Cette version n’offre pas l’effacement d’une personne; rien n’a été supprimé.",
    ),
    "NO_FIELDS_SET": Words(
        status=400,
        en="There is nothing to change in this request.",
        fr="Il n’y a rien à modifier dans cette demande.",
    ),
    "CLOCK_MOVED_BACK": Words(
        status=400,
        public="INVALID_TIME",
        en="The clock of a sandbox only goes forward; it shows {now}.",
        fr="L’horloge d’un bac à sable ne fait qu’avancer; elle indique {now}.",
    ),
    "CLOCK_TOO_FAR": Words(
        status=400,
        public="INVALID_TIME",
        en="The clock can go forward by at most {years_max} years.",
        fr="L’horloge peut avancer d’au plus {years_max} ans.",
    ),
}
