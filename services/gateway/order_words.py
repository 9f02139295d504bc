"""The words for what the gateway refuses of orders, catalogs and refunds as tills send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.gateway.refusal_words import Words

ORDER_REFUSALS: Final[Mapping[str, Words]] = {
    "SERVICE_CHARGE_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Service charges are not taken here: send them as a line or as a tip.",
        fr="Les frais de service ne sont pas pris ici : envoyez-les en ligne ou en pourboire.",
    ),
    "ORDER_SEARCH_UNSUPPORTED": Words(
        status=404,
        public="NOT_FOUND",
        en="Orders are not searched here: ask for them by POST /v2/orders/batch-retrieve.",
        fr="On ne cherche pas les commandes ici : demandez-les par POST /v2/orders/batch-retrieve.",
    ),
    "ORDER_CLONE_UNSUPPORTED": Words(
        status=404,
        public="NOT_FOUND",
        en="Orders are not cloned here: send the order again to POST /v2/orders.",
        fr="On ne copie pas les commandes ici : envoyez-la de nouveau à POST /v2/orders.",
    ),
    "ORDER_UPDATE_UNSUPPORTED": Words(
        status=404,
        public="NOT_FOUND",
        en="Orders are not changed here: send them to POST /v2/orders when they are complete.",
        fr="On ne modifie pas les commandes ici : envoyez-les complètes à POST /v2/orders.",
    ),
    "ORDER_PAY_UNSUPPORTED": Words(
        status=404,
        public="NOT_FOUND",
        en="There are no payments here: POST /v2/loyalty/accounts/…/accumulate completes an order.",
        fr="Pas de paiement ici : POST /v2/loyalty/accounts/…/accumulate clôt la commande.",
    ),
    "RETURN_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Send what comes back to /v2/loyalty/refunds or /v2/loyalty/exchanges.",
        fr="Envoyez ce qui revient à /v2/loyalty/refunds ou /v2/loyalty/exchanges.",
    ),
    "REWARD_IN_ORDER": Words(
        status=400,
        public="BAD_REQUEST",
        en="A reward goes on an order by POST /v2/loyalty/rewards with its order_id, or by "
        "…/apply when it was taken before.",
        fr="Une récompense va sur une commande par POST /v2/loyalty/rewards avec order_id, ou par "
        "…/apply si elle était déjà prise.",
    ),
    "ROUNDING_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Send the order before the rounding of cash.",
        fr="Envoyez la commande avant l’arrondi de l’argent comptant.",
    ),
    "AUTO_PRICING_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Nothing is priced by itself here: send each discount and tax with the order.",
        fr="Rien n’est calculé tout seul ici : envoyez chaque rabais et taxe avec la commande.",
    ),
    "PRICING_BLOCK_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Give the discount or tax the scope LINE_ITEM and name it on the lines that have it.",
        fr="Donnez au rabais ou à la taxe la portée LINE_ITEM et nommez-le sur les lignes visées.",
    ),
    "GIFT_CARD_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="A gift card earns nothing when it is sold: leave its line out of the order.",
        fr="Une carte-cadeau ne donne rien à la vente : retirez sa ligne de la commande.",
    ),
    "MODIFIER_PRICE_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Send the line's price with its modifiers in base_price_money.",
        fr="Envoyez le prix de la ligne, options comprises, dans base_price_money.",
    ),
    "CATALOG_VALUE_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Taxes and discounts are not kept in the catalog here: send the percentage or amount.",
        fr="Les taxes et rabais ne sont pas au catalogue ici : envoyez le pourcentage ou montant.",
    ),
    "LINES_NOT_NAMED": Words(
        status=400,
        public="INVALID_VALUE",
        en="Its scope is LINE_ITEM and no line names it. Name it on a line or say ORDER.",
        fr="Sa portée est LINE_ITEM et aucune ligne ne le nomme. Nommez-le sur une ligne ou dites "
        "ORDER.",
    ),
    "AMOUNT_ON_SEVERAL_LINES": Words(
        status=400,
        public="INVALID_VALUE",
        en="An amount goes on one line or on the whole order. Send one discount for each line.",
        fr="Un montant va sur une ligne ou sur toute la commande. Envoyez un rabais par ligne.",
    ),
    "APPLIED_UNKNOWN": Words(
        status=400,
        public="INVALID_VALUE",
        en="The order has nothing with the uid {uid} to apply.",
        fr="La commande n’a rien à appliquer sous le uid {uid}.",
    ),
    "UID_REPEATED": Words(
        status=400,
        public="INVALID_VALUE",
        en="The uid {uid} stands twice. Each one is unique in its order.",
        fr="Le uid {uid} figure deux fois. Chacun est unique dans sa commande.",
    ),
    "ORDER_STATE_UNSUPPORTED": Words(
        status=400,
        public="INVALID_VALUE",
        en="A new order is OPEN. It is COMPLETED once its points are accumulated.",
        fr="Une nouvelle commande est OPEN. Elle est COMPLETED quand ses points sont comptés.",
    ),
    "VARIATION_OF_ANOTHER": Words(
        status=400,
        public="INVALID_VALUE",
        en="This variation stands in one item and names another one in item_id.",
        fr="Cette variante figure dans un article et en nomme un autre dans item_id.",
    ),
    "CATALOG_TOO_MANY": Words(
        status=400,
        public="ARRAY_LENGTH_TOO_LONG",
        en="At most {max_length} objects at once, variations included. Send them in several calls.",
        fr="Au plus {max_length} objets à la fois, variantes comprises. Envoyez-les en plusieurs "
        "appels.",
    ),
    "PRICE_BY_LOCATION_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="A variation has one price here: send prices of a salon with its orders.",
        fr="Une variante a un seul prix ici : envoyez les prix d’un salon avec ses commandes.",
    ),
    "CATALOG_VERSION_UNSUPPORTED": Words(
        status=400,
        public="BAD_REQUEST",
        en="Only the catalog of now can be read.",
        fr="On ne peut lire que le catalogue actuel.",
    ),
    "EXCHANGE_AT_PRICE": Words(
        status=400,
        public="BAD_REQUEST",
        en="Lines of an exchange come at the price that is paid for them, before tax.",
        fr="Les lignes d’un échange viennent au prix payé, avant taxes.",
    ),
}
