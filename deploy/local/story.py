"""Who lives in the demo chain: three salons, three rewards, an offer, six members.

Telephone numbers with 555-01 are given to nobody.
"""

from dataclasses import dataclass

SLUG = "leonie"
NAME = "Salon Léonie"
OWNER_EMAIL = "lea@leonie.example"
OWNER_NAME = "Léa Fontaine"
BRAND_COLOR = "#8b2f4b"
KEYWORD = "JOIGNEZ"

SALONS = [
    {"name": "Léonie Plateau", "address": "4201, rue Saint-Denis, Montréal"},
    {"name": "Léonie Vieux-Montréal", "address": "58, rue Saint-Paul Ouest, Montréal"},
    {"name": "Léonie Verdun", "address": "4410, rue Wellington, Verdun"},
]

PROGRAM = {"name": "Vos points", "terminology": {"one": "point", "other": "points"}}

TIERS: list[dict[str, object]] = [
    {
        "points": 5,
        "name": "Soin express offert",
        "description": "Un soin de dix minutes au bac, avec votre prochain service.",
        "definition": {"scope": "ORDER", "discount_type": "IN_KIND"},
    },
    {
        "points": 10,
        "name": "25 % sur votre coupe",
        "description": "Valable sur toutes les coupes, au salon de votre choix.",
        "definition": {
            "scope": "ORDER",
            "discount_type": "FIXED_PERCENTAGE",
            "percentage_discount": "25",
        },
    },
    {
        "points": 20,
        "name": "Coupe et brushing offerts",
        "description": "Lavage, coupe et brushing, offerts par Léonie.",
        "definition": {"scope": "ORDER", "discount_type": "IN_KIND"},
    },
]

OFFER = {
    "title": "Gloss offert avec votre couleur",
    "description": "Un gloss offert à la première couleur de la saison, dans les trois salons.",
    "exclusion": "Non monnayable. Un gloss par personne.",
}
OFFER_DAYS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One member: since when, what came over from her paper card, and what she did since."""

    given_name: str
    family_name: str
    phone: str
    language: str
    birthday: str
    days_a_member: int
    carried_over: int
    # Hours ago at which a visit earned a point, newest last; a till may be three days late at most.
    visits_hours_ago: tuple[int, ...]
    # Points of the reward definitions that she took; the second says whether she used it too.
    rewards: tuple[tuple[int, bool], ...] = ()
    # The word by which she texted that she agrees to messages; empty = she did not.
    agreed: str = ""


MEMBERS = [
    Life(
        given_name="Camille",
        family_name="Tremblay",
        phone="+15145550111",
        language="fr",
        birthday="03-14",
        days_a_member=412,
        carried_over=14,
        visits_hours_ago=(50, 4),
        rewards=((5, True),),
        agreed="OUI",
    ),
    Life(
        given_name="Amélie",
        family_name="Gagnon",
        phone="+15145550112",
        language="fr",
        birthday="11-30",
        days_a_member=230,
        carried_over=12,
        visits_hours_ago=(28,),
        rewards=((10, False),),
        agreed="OUI",
    ),
    Life(
        given_name="Sofia",
        family_name="Benali",
        phone="+15145550113",
        language="fr",
        birthday="07-02",
        days_a_member=95,
        carried_over=3,
        visits_hours_ago=(66, 2),
    ),
    Life(
        given_name="Margaret",
        family_name="O’Neill",
        phone="+15145550114",
        language="en",
        birthday="01-22",
        days_a_member=610,
        carried_over=22,
        visits_hours_ago=(31,),
        agreed="YES",
    ),
    Life(
        given_name="Thi Mai",
        family_name="Nguyen",
        phone="+15145550115",
        language="fr",
        birthday="",
        days_a_member=9,
        carried_over=0,
        visits_hours_ago=(70, 23),
    ),
    Life(
        given_name="Jeanne",
        family_name="Lavoie",
        phone="+15145550116",
        language="fr",
        birthday="02-29",
        days_a_member=1,
        carried_over=0,
        visits_hours_ago=(20,),
    ),
]
