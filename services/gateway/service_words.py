"""The words for what the services refuse; keys are their codes in capitals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.refusal_words import Words

_ENROLLMENT: Final[Mapping[str, Words]] = {
    "PHONE_INVALID": Words(
        status=400,
        public="INVALID_PHONE_NUMBER",
        en="This is not a phone number. Write it as +15145550142.",
        fr="Ce n’est pas un numéro de téléphone. Écrivez-le ainsi : +15145550142.",
    ),
    "EMAIL_INVALID": Words(
        status=400,
        public="INVALID_EMAIL_ADDRESS",
        en="This is not an e-mail address.",
        fr="Ce n’est pas une adresse courriel.",
    ),
    "ADDRESS_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="A phone number or an e-mail address is needed.",
        fr="Il faut un numéro de téléphone ou une adresse courriel.",
    ),
    "NAME_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This name is missing, too long, or holds characters that no name has.",
        fr="Ce nom manque, est trop long ou contient des caractères qu’aucun nom n’a.",
    ),
    "BIRTHDAY_INVALID": Words(
        status=400,
        public="INVALID_DATE",
        en="This is not a birthday. Write it as 1990-05-17, or 05-17 without the year.",
        fr="Ce n’est pas une date de naissance. Écrivez-la ainsi : 1990-05-17, ou 05-17 sans "
        "l’année.",
    ),
    "LANGUAGE_INVALID": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="The languages are fr and en.",
        fr="Les langues sont fr et en.",
    ),
    "SOURCE_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="It is not said by which way the person joined.",
        fr="Il n’est pas dit par quelle voie la personne s’est inscrite.",
    ),
    "ENROLLED_AT_INVALID": Words(
        status=400,
        public="INVALID_TIME",
        en="The day of enrolment cannot lie in the future, nor before 1980.",
        fr="Le jour de l’inscription ne peut être dans le futur, ni avant 1980.",
    ),
    "CONSENT_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A consent needs its channel and the version of the words that were agreed to.",
        fr="Un consentement doit dire son canal et la version du texte accepté.",
    ),
    "SLUG_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A web name has 2 to 40 lower-case letters, digits and hyphens.",
        fr="Un nom web a de 2 à 40 lettres minuscules, chiffres et traits d’union.",
    ),
    "COLOR_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A colour has the form #rrggbb.",
        fr="Une couleur a la forme #rrggbb.",
    ),
    "TIME_ZONE_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This is not a time zone. Write it as America/Toronto.",
        fr="Ce n’est pas un fuseau horaire. Écrivez-le ainsi : America/Toronto.",
    ),
    "CURRENCY_INVALID": Words(
        status=400,
        public="UNSUPPORTED_CURRENCY",
        en="This is not a currency. Write it as CAD.",
        fr="Ce n’est pas une monnaie. Écrivez-la ainsi : CAD.",
    ),
    "PLAN_INVALID": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="The plans are PARTANT, ESSENTIEL and PRO.",
        fr="Les forfaits sont PARTANT, ESSENTIEL et PRO.",
    ),
    "LOGO_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="The logo must be a PNG or WebP image of at most 256 kB.",
        fr="Le logo doit être une image PNG ou WebP d’au plus 256 ko.",
    ),
    "PASSWORD_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This password is too short or too long. Take at least 10 characters.",
        fr="Ce mot de passe est trop court ou trop long. Prenez au moins 10 caractères.",
    ),
    "ROLE_INVALID": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="The roles are OWNER, MANAGER and CASHIER.",
        fr="Les rôles sont OWNER, MANAGER et CASHIER.",
    ),
    "SCOPES_INVALID": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="A key needs at least one permission, and only ones that exist.",
        fr="Une clé exige au moins une permission, et seulement de celles qui existent.",
    ),
    "QUERY_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This search is too long.",
        fr="Cette recherche est trop longue.",
    ),
    "ACTOR_INVALID": Words(
        status=400,
        public="BAD_REQUEST",
        en="It is not said who acts.",
        fr="Il n’est pas dit qui agit.",
    ),
    "CODE_WRONG": Words(
        status=400,
        public="CODE_INVALID",
        en="This code is not right, or no longer valid. Ask for a new one.",
        fr="Ce code n’est pas le bon, ou n’est plus valable. Demandez-en un nouveau.",
    ),
    "MEMBER_EXISTS": Words(
        status=409,
        public="CONFLICT",
        en="Somebody is already registered here with this phone number or e-mail address.",
        fr="Quelqu’un est déjà inscrit ici avec ce numéro de téléphone ou cette adresse courriel.",
    ),
    "SLUG_TAKEN": Words(
        status=409,
        public="CONFLICT",
        en="Another chain has this web name. Choose another one.",
        fr="Une autre chaîne porte ce nom web. Choisissez-en un autre.",
    ),
    "EMAIL_TAKEN": Words(
        status=409,
        public="CONFLICT",
        en="Another staff account uses this e-mail address.",
        fr="Un autre compte du personnel utilise cette adresse courriel.",
    ),
    "UNAUTHENTICATED": Words(
        status=401,
        public="UNAUTHORIZED",
        en="Please sign in again.",
        fr="Veuillez vous connecter de nouveau.",
    ),
    "SESSION_SUPERSEDED": Words(
        status=401,
        public="UNAUTHORIZED",
        en=(
            "You were signed out on this device, because your phone number or e-mail was "
            "confirmed by a code on another one. If that was you, sign in here with a code too."
        ),
        fr=(
            "Cet appareil a été déconnecté de votre compte, parce que votre numéro ou votre "
            "courriel a été confirmé par un code sur un autre. Si c’était vous, entrez ici aussi "
            "avec un code."
        ),
    ),
    "CREDENTIALS_WRONG": Words(
        status=401,
        public="UNAUTHORIZED",
        en="E-mail address or password is not right.",
        fr="L’adresse courriel ou le mot de passe n’est pas le bon.",
    ),
    "LAST_OWNER": Words(
        status=409,
        public="CONFLICT",
        en="A chain keeps at least one owner. Name another owner first.",
        fr="Une chaîne garde au moins un propriétaire. Nommez-en d’abord un autre.",
    ),
    "LIMIT_REACHED": Words(
        status=409,
        public="CONFLICT",
        en="There are as many of these as there may be. Remove one first.",
        fr="Il y en a autant qu’il peut y en avoir. Supprimez-en d’abord un.",
    ),
}

_POINTS: Final[Mapping[str, Words]] = {
    "CHAIN_UNKNOWN": Words(
        status=409,
        public="CONFLICT",
        en="This chain is being set up. Try again in a moment.",
        fr="Cette chaîne est en cours de création. Réessayez dans un instant.",
    ),
    "PROGRAM_UNKNOWN": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such program.",
        fr="Ce programme n’existe pas.",
    ),
    "PROGRAM_INACTIVE": Words(
        status=409,
        public="CONFLICT",
        en="This program gives no points at present.",
        fr="Ce programme ne donne pas de points en ce moment.",
    ),
    "PROGRAM_LIMIT": Words(
        status=409,
        public="CONFLICT",
        en="A chain has at most {limit} programs.",
        fr="Une chaîne a au plus {limit} programmes.",
    ),
    "ACCOUNT_UNKNOWN": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such account.",
        fr="Ce compte n’existe pas.",
    ),
    "SALON_UNKNOWN": Words(
        status=409,
        public="CONFLICT",
        en="This salon is not known yet. Try again in a moment.",
        fr="Ce salon n’est pas encore connu. Réessayez dans un instant.",
    ),
    "SALON_INACTIVE": Words(
        status=409,
        public="CONFLICT",
        en="This salon is closed.",
        fr="Ce salon est fermé.",
    ),
    "SALON_NOT_IN_PROGRAM": Words(
        status=400,
        public="INVALID_VALUE",
        en="The program does not run in this salon.",
        fr="Le programme n’a pas cours dans ce salon.",
    ),
    "EARN_TOKEN_INVALID": Words(
        status=400,
        public="CODE_INVALID",
        en="This QR code is not one of this salon. Scan the one at the desk, or type the code.",
        fr="Ce code QR n’est pas de ce salon. Numérisez celui du comptoir, ou entrez le code.",
    ),
    "GRANT_INVALID": Words(
        status=400,
        public="CODE_REQUIRED",
        en="The approval for several points is over. Ask staff to enter their code again.",
        fr="L’autorisation pour plusieurs points est échue. Demandez au personnel d’entrer le "
        "code de nouveau.",
    ),
    "ORIGIN_REQUIRED": Words(
        status=400,
        public="BAD_REQUEST",
        en="It is not said how these points were earned.",
        fr="Il n’est pas dit comment ces points ont été gagnés.",
    ),
    "POINTS_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A whole number of points from {minimum} to {maximum} is possible here.",
        fr="Un nombre entier de points de {minimum} à {maximum} est possible ici.",
    ),
    "POINTS_ZERO": Words(
        status=400,
        public="INVALID_VALUE",
        en="Give or take at least one point.",
        fr="Donnez ou retirez au moins un point.",
    ),
    "CODE_REQUIRED": Words(
        status=400,
        en="More than one point at once needs the security code for multi-points.",
        fr="Plus d’un point à la fois exige le code de sécurité pour multi-points.",
    ),
    "CODE_INVALID": Words(
        status=400,
        en="This code is not right.",
        fr="Ce code n’est pas le bon.",
    ),
    "CODES_UNAVAILABLE": Words(
        status=503,
        public="SERVICE_UNAVAILABLE",
        en="Codes cannot be checked for a moment. Scanning still works.",
        fr="Les codes ne peuvent pas être vérifiés pour un instant. La numérisation fonctionne.",
    ),
    "CODES_LOCKED": Words(
        status=403,
        public="FORBIDDEN",
        en="Too many wrong codes. Ask the salon to change its code, or scan the QR code.",
        fr="Trop de codes erronés. Demandez au salon de changer son code, ou numérisez le code QR.",
    ),
    "CODE_FORM_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This code needs {digits_min} to {digits_max} digits and nothing else.",
        fr="Ce code doit avoir de {digits_min} à {digits_max} chiffres et rien d’autre.",
    ),
    "CODES_ALIKE": Words(
        status=400,
        public="INVALID_VALUE",
        en="The two codes must differ: who knows the code for one point must not give many.",
        fr="Les deux codes doivent différer : qui connaît le code d’un point ne doit pas en donner "
        "plusieurs.",
    ),
    "OCCURRED_TOO_EARLY": Words(
        status=400,
        public="INVALID_TIME",
        en="This lies too far back: at most {hours_max} hours.",
        fr="C’est trop ancien : au plus {hours_max} heures.",
    ),
    "OCCURRED_IN_FUTURE": Words(
        status=400,
        public="INVALID_TIME",
        en="This lies in the future. Check the clock of the device.",
        fr="C’est dans le futur. Vérifiez l’horloge de l’appareil.",
    ),
    "BALANCE_TOO_LARGE": Words(
        status=400,
        public="VALUE_TOO_HIGH",
        en="The account cannot hold that many points.",
        fr="Le compte ne peut pas contenir autant de points.",
    ),
    "INSUFFICIENT_POINTS": Words(
        status=400,
        en="Not enough points yet: {available_points} of {requested_points}.",
        fr="Pas encore assez de points : {available_points} sur {requested_points}.",
    ),
    "BALANCE_BELOW_ZERO": Words(
        status=400,
        public="INSUFFICIENT_POINTS",
        en="The balance is {balance}; it cannot go below zero.",
        fr="Le solde est de {balance}; il ne peut pas passer sous zéro.",
    ),
    "REASON_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="Say why these points are given or taken.",
        fr="Dites pourquoi ces points sont donnés ou retirés.",
    ),
    "NOTE_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="The reason needs words of its own.",
        fr="La raison doit être écrite.",
    ),
    "TEXT_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This text is missing, too long, or holds characters that no screen shows.",
        fr="Ce texte manque, est trop long ou contient des caractères qu’aucun écran ne montre.",
    ),
    "NUMBER_OUT_OF_RANGE": Words(
        status=400,
        public="INVALID_VALUE",
        en="A number from {minimum} to {maximum} is possible here.",
        fr="Un nombre de {minimum} à {maximum} est possible ici.",
    ),
    "ID_INVALID": Words(
        status=404,
        public="NOT_FOUND",
        en="There is nothing with this id here.",
        fr="Il n’y a rien sous cet identifiant ici.",
    ),
    "KEY_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="The idempotency key is missing or too long.",
        fr="La clé d’idempotence manque ou est trop longue.",
    ),
    "IDEMPOTENCY_KEY_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="The idempotency key is missing or too long.",
        fr="La clé d’idempotence manque ou est trop longue.",
    ),
    "CURSOR_INVALID": Words(
        status=400,
        public="INVALID_CURSOR",
        en="This cursor is not valid here. Start the list again without a cursor.",
        fr="Ce curseur n’est pas valide ici. Recommencez la liste sans curseur.",
    ),
    "LIMIT_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A page holds from 1 to {max} entries.",
        fr="Une page contient de 1 à {max} éléments.",
    ),
    "DEBIT_UNKNOWN": Words(
        status=409,
        public="CONFLICT",
        en="No points were taken for this reward.",
        fr="Aucun point n’a été pris pour cette récompense.",
    ),
    "OVERLOADED": Words(
        status=503,
        public="SERVICE_UNAVAILABLE",
        en="There is too much to do for a moment. Try again with the same key.",
        fr="Il y a trop à faire pour un instant. Réessayez avec la même clé.",
    ),
    "REFUSED": Words(
        status=400,
        public="BAD_REQUEST",
        en="This is not possible.",
        fr="Ce n’est pas possible.",
    ),
}

_REWARDS: Final[Mapping[str, Words]] = {
    "REWARD_LIMIT": Words(
        status=409,
        en="A chain has at most 15 rewards. Delete one to make another.",
        fr="Une chaîne a au plus 15 récompenses. Supprimez-en une pour en créer une autre.",
    ),
    "DEFINITION_RETIRED": Words(
        status=409,
        public="CONFLICT",
        en="This reward is no longer offered.",
        fr="Cette récompense n’est plus offerte.",
    ),
    "OFFER_NOT_RUNNING": Words(
        status=409,
        public="CONFLICT",
        en="This offer has not begun, or is over.",
        fr="Cette offre n’a pas commencé, ou est terminée.",
    ),
    "ALREADY_USED": Words(
        status=409,
        public="CONFLICT",
        en="This reward has been used already.",
        fr="Cette récompense a déjà été utilisée.",
    ),
    "REWARD_EXPIRED": Words(
        status=409,
        public="CONFLICT",
        en="This coupon is past its last day.",
        fr="Ce coupon a dépassé son dernier jour.",
    ),
    "REWARD_VOIDED": Words(
        status=409,
        public="CONFLICT",
        en="This reward was cancelled.",
        fr="Cette récompense a été annulée.",
    ),
    "REWARD_PENDING": Words(
        status=409,
        public="CONFLICT",
        en="This reward is being taken. Try again in a moment.",
        fr="Cette récompense est en cours de prise. Réessayez dans un instant.",
    ),
    "REWARD_ON_SALE": Words(
        status=409,
        public="CONFLICT",
        en="This reward is on a sale at the till. Finish that sale, or take the reward off it.",
        fr="Cette récompense est sur une vente en cours à la caisse. Terminez cette vente, ou "
        "retirez-en d’abord la récompense.",
    ),
    "NOT_REDEEMED": Words(
        status=409,
        public="CONFLICT",
        en="This reward is not a used one.",
        fr="Cette récompense n’est pas utilisée.",
    ),
    "NOT_THIS_DEVICE": Words(
        status=403,
        public="FORBIDDEN",
        en="Only the screen on which the reward was used can end its display.",
        fr="Seul l’écran où la récompense a été utilisée peut en terminer l’affichage.",
    ),
    "ACCOUNT_EXISTS": Words(
        status=409,
        public="CONFLICT",
        en="There is an account for this phone number already. Search for it instead.",
        fr="Il y a déjà un compte pour ce numéro de téléphone. Cherchez-le plutôt.",
    ),
    "PHONE_OF_ANOTHER": Words(
        status=400,
        public="INVALID_VALUE",
        en="This phone number is not the one of this customer.",
        fr="Ce numéro de téléphone n’est pas celui de ce client.",
    ),
    "INVALID_PERCENTAGE": Words(
        status=400,
        public="INVALID_VALUE",
        en='A percentage is a text such as "10" or "12.5", above 0 and up to 100.',
        fr="Un pourcentage est un texte comme « 10 » ou « 12.5 », au-dessus de 0 et jusqu’à 100.",
    ),
    "UNSUPPORTED_CURRENCY": Words(
        status=400,
        en="Amounts of this chain are in {currency}.",
        fr="Les montants de cette chaîne sont en {currency}.",
    ),
}

_OFFERS: Final[Mapping[str, Words]] = {
    "TITLE_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="An offer needs a title.",
        fr="Une offre a besoin d’un titre.",
    ),
    "TEXT_TOO_LONG": Words(
        status=400,
        public="VALUE_TOO_LONG",
        en="This is too long: at most {length_max} characters.",
        fr="C’est trop long : au plus {length_max} caractères.",
    ),
    "DATE_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="An offer needs its first and its last day.",
        fr="Une offre a besoin de son premier et de son dernier jour.",
    ),
    "DATE_INVALID": Words(
        status=400,
        public="INVALID_DATE",
        en="A day is expected here, such as 2026-01-31.",
        fr="Un jour est attendu ici, par exemple 2026-01-31.",
    ),
    "END_BEFORE_START": Words(
        status=400,
        public="INVALID_TIME_RANGE",
        en="The last day lies before the first.",
        fr="Le dernier jour précède le premier.",
    ),
    "COUPON_EXPIRY_BEFORE_START": Words(
        status=400,
        public="INVALID_TIME_RANGE",
        en="The coupon would expire before the offer begins.",
        fr="Le coupon expirerait avant le début de l’offre.",
    ),
    "IMAGE_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This file is not a picture. Choose a PNG, JPEG or WebP.",
        fr="Ce fichier n’est pas une image. Choisissez un PNG, un JPEG ou un WebP.",
    ),
    "IMAGE_TOO_LARGE": Words(
        status=400,
        public="VALUE_TOO_LONG",
        en="This picture is too large: at most 5 MB, and 16 million pixels.",
        fr="Cette image est trop grande : au plus 5 Mo, et 16 millions de pixels.",
    ),
    "IMAGE_NOT_FOUND": Words(
        status=404,
        public="NOT_FOUND",
        en="This offer has no such picture.",
        fr="Cette offre n’a pas une telle image.",
    ),
    "OFFER_NOT_FOUND": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such offer.",
        fr="Cette offre n’existe pas.",
    ),
}

SERVICE_REFUSALS: Final[Mapping[str, Words]] = {
    **_ENROLLMENT,
    **_POINTS,
    **_REWARDS,
    **_OFFERS,
}
