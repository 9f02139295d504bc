"""The words for what points refuses of rules, sales, refunds, promotions, tiers and expiry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.refusal_words import Words

SALE_REFUSALS: Final[Mapping[str, Words]] = {
    "RULE_TYPE_UNKNOWN": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="A rule is one of VISIT, SPEND, ITEM_VARIATION and CATEGORY.",
        fr="Une règle est VISIT, SPEND, ITEM_VARIATION ou CATEGORY.",
    ),
    "RULE_INCOMPLETE": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="This rule lacks something that its type needs; the field says what.",
        fr="Il manque à cette règle ce que son type exige; le champ dit quoi.",
    ),
    "RULE_FIELD_FOREIGN": Words(
        status=400,
        public="UNEXPECTED_VALUE",
        en="This belongs to a rule of another type. Leave it out or change the type.",
        fr="Cela appartient à une règle d’un autre type. Retirez-le ou changez le type.",
    ),
    "EXCLUSION_NOT_ALLOWED": Words(
        status=400,
        public="UNEXPECTED_VALUE",
        en="Items and categories can be excluded only where spending earns points.",
        fr="On ne peut exclure des articles et catégories que si les dépenses donnent des points.",
    ),
    "LINE_REPEATED": Words(
        status=400,
        public="INVALID_VALUE",
        en="Two lines are called {uid}. Each line of a sale needs its own uid.",
        fr="Deux lignes s’appellent {uid}. Chaque ligne d’une vente a son propre uid.",
    ),
    "LINE_UNKNOWN": Words(
        status=400,
        public="INVALID_VALUE",
        en="The sale has no line {uid}.",
        fr="La vente n’a pas de ligne {uid}.",
    ),
    "AMOUNT_AMBIGUOUS": Words(
        status=400,
        public="CONFLICTING_PARAMETERS",
        en="Give either a percentage or an amount.",
        fr="Donnez soit un pourcentage, soit un montant.",
    ),
    "REFUND_EXCEEDS_SALE": Words(
        status=400,
        public="REFUND_AMOUNT_INVALID",
        en="What remains of the sale to refund is {remaining_minor} (in cents), not more.",
        fr="Il ne reste de la vente que {remaining_minor} à rembourser (en cents).",
    ),
    "QUANTITY_EXCEEDS_LINE": Words(
        status=400,
        public="VALUE_TOO_HIGH",
        en="Of line {uid} only {remaining} remain to be refunded.",
        fr="De la ligne {uid}, il ne reste que {remaining} à rembourser.",
    ),
    "PERIOD_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="This time period is not understood at “{part}”. Known are DTSTART, DURATION or DTEND, "
        "and RRULE with FREQ (DAILY, WEEKLY, MONTHLY), INTERVAL, BYDAY, and UNTIL or COUNT, in "
        "local time without a zone.",
        fr="Cette période n’est pas comprise à « {part} ». Sont connus DTSTART, DURATION ou DTEND, "
        "et RRULE avec FREQ (DAILY, WEEKLY, MONTHLY), INTERVAL, BYDAY, et UNTIL ou COUNT, en "
        "heure locale sans fuseau.",
    ),
    "INCENTIVE_INVALID": Words(
        status=400,
        public="CONFLICTING_PARAMETERS",
        en="A promotion either multiplies points or adds some. Give one of the two.",
        fr="Une promotion multiplie les points ou en ajoute. Donnez l’un des deux.",
    ),
    "MULTIPLIER_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A multiplier is at least 1 for a tier and more for a promotion, at most {maximum}, "
        "with up to {decimals} decimals.",
        fr="Un multiplicateur est d’au moins 1 pour un niveau et plus grand pour une promotion, "
        "d’au plus {maximum}, avec au plus {decimals} décimales.",
    ),
    "QUALIFYING_INVALID": Words(
        status=400,
        public="CONFLICTING_PARAMETERS",
        en="Name qualifying items or categories, not both, and only where visits or spending earn.",
        fr="Nommez des articles ou des catégories, pas les deux, et seulement si les visites ou "
        "les dépenses donnent des points.",
    ),
    "TRIGGER_LIMIT_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A limit is a number of times from 1 to {maximum}, for ALL_TIME or for a DAY.",
        fr="Une limite est un nombre de fois de 1 à {maximum}, pour ALL_TIME ou pour un DAY.",
    ),
    "PROMOTION_UNKNOWN": Words(
        status=404,
        public="NOT_FOUND",
        en="The program has no such promotion.",
        fr="Le programme n’a pas cette promotion.",
    ),
    "PROMOTION_LIMIT": Words(
        status=409,
        public="CONFLICT",
        en="At most {limit} promotions run or are planned at once. Cancel one first.",
        fr="Au plus {limit} promotions en cours ou prévues à la fois. Annulez-en une d’abord.",
    ),
    "PROMOTION_OVER": Words(
        status=409,
        public="CONFLICT",
        en="This promotion has ended or was canceled.",
        fr="Cette promotion est terminée ou a été annulée.",
    ),
    "TIER_LIMIT": Words(
        status=409,
        public="CONFLICT",
        en="A program has at most {limit} tiers, the lowest included.",
        fr="Un programme a au plus {limit} niveaux, le plus bas compris.",
    ),
    "TIER_UNKNOWN": Words(
        status=400,
        public="INVALID_VALUE",
        en="The program has no such tier, or it is listed twice. Leave the id of a new tier out.",
        fr="Le programme n’a pas ce niveau, ou il figure deux fois. Un nouveau niveau n’a pas "
        "d’identifiant.",
    ),
    "TIER_THRESHOLDS_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="The lowest tier starts at 0, and no two tiers at the same number of points.",
        fr="Le niveau le plus bas commence à 0, et deux niveaux n’ont jamais le même seuil.",
    ),
    "EXPIRY_POLICY_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="Points end never, or after {minimum} to {maximum} months: write P3M for three.",
        fr="Les points n’expirent jamais, ou après {minimum} à {maximum} mois : écrivez P3M "
        "pour trois.",
    ),
    "CATALOG_OBJECT_UNKNOWN": Words(
        status=404,
        public="NOT_FOUND",
        en="The catalog has no such object: {id}.",
        fr="Le catalogue n’a pas cet objet : {id}.",
    ),
    "LINE_PRICE_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="This line has no price, and the catalog has none for it. Give one.",
        fr="Cette ligne n’a pas de prix, et le catalogue n’en a pas non plus. Donnez-en un.",
    ),
    "CATALOG_OBJECT_REPEATED": Words(
        status=400,
        public="INVALID_VALUE",
        en="The object {id} stands twice in this request.",
        fr="L’objet {id} figure deux fois dans cette demande.",
    ),
    "CATALOG_TYPE_INVALID": Words(
        status=400,
        public="INVALID_ENUM_VALUE",
        en="An object is an ITEM, an ITEM_VARIATION or a CATEGORY, and stays what it is.",
        fr="Un objet est un ITEM, un ITEM_VARIATION ou une CATEGORY, et le reste.",
    ),
    "CATALOG_FIELD_FOREIGN": Words(
        status=400,
        public="UNEXPECTED_VALUE",
        en="This belongs to an object of another type. Leave it out.",
        fr="Cela appartient à un objet d’un autre type. Retirez-le.",
    ),
    "CATALOG_VERSION_STALE": Words(
        status=409,
        public="CONFLICT",
        en="The object was changed since you read it: it is at version {version}. Read it again.",
        fr="L’objet a changé depuis votre lecture : il en est à la version {version}. Relisez-le.",
    ),
    "CATEGORY_TREE_INVALID": Words(
        status=400,
        public="INVALID_VALUE",
        en="A category cannot lie in itself, nor deeper than {depth_max} categories.",
        fr="Une catégorie ne peut être dans elle-même, ni à plus de {depth_max} niveaux.",
    ),
    "SALE_UNKNOWN": Words(
        status=404,
        public="NOT_FOUND",
        en="There is no such order.",
        fr="Cette commande n’existe pas.",
    ),
    "SALE_COUNTED": Words(
        status=409,
        public="CONFLICT",
        en="The points of this order were counted: it does not change any more. Refund it instead.",
        fr="Les points de cette commande sont comptés : elle ne change plus. Remboursez-la plutôt.",
    ),
    "SALE_OPEN": Words(
        status=409,
        public="CONFLICT",
        en="The points of this order were not counted yet, so there is nothing to take back. "
        "Accumulate them first, or leave the order as it is.",
        fr="Les points de cette commande ne sont pas encore comptés : il n’y a rien à reprendre. "
        "Comptez-les d’abord, ou laissez la commande telle quelle.",
    ),
    # Asked again it stays another's; Square's SDK sends a 409 twice more.
    "SALE_OF_ANOTHER": Words(
        status=400,
        public="INVALID_VALUE",
        en="This order is another customer’s.",
        fr="Cette commande est celle d’un autre client.",
    ),
    "SALE_ELSEWHERE": Words(
        status=400,
        public="LOCATION_MISMATCH",
        en="This order was made in another salon. Its points are counted there.",
        fr="Cette commande vient d’un autre salon. Ses points y sont comptés.",
    ),
    "SALE_OR_AMOUNT_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="Give either an order or an amount.",
        fr="Donnez soit une commande, soit un montant.",
    ),
    "CURRENCY_FOREIGN": Words(
        status=400,
        public="UNSUPPORTED_CURRENCY",
        en="Amounts here are in {currency}.",
        fr="Les montants sont ici en {currency}.",
    ),
    "REWARD_ON_ANOTHER_SALE": Words(
        status=409,
        public="CONFLICT",
        en="This reward is on another order. Take it off that one first.",
        fr="Cette récompense est sur une autre commande. Retirez-la d’abord de l’autre.",
    ),
    "REWARD_UNDONE": Words(
        status=409,
        public="CONFLICT",
        en="This reward was undone and its points given back. Take another one.",
        fr="Cette récompense est annulée et ses points sont rendus. Prenez-en une autre.",
    ),
    "REFUND_KIND_REQUIRED": Words(
        status=400,
        public="MISSING_REQUIRED_PARAMETER",
        en="Say what is refunded: all, some lines, or an amount.",
        fr="Dites ce qui est remboursé : tout, des lignes ou un montant.",
    ),
    "CHANGE_REUSED": Words(
        status=400,
        public="INVALID_VALUE",
        en="Another refund or exchange of this order has this id. Give a new one.",
        fr="Un autre remboursement ou échange de cette commande porte cet identifiant. "
        "Donnez-en un nouveau.",
    ),
}
