"""What the panel works out by itself: order and search of the catalog, feeds, amounts."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.points.v1.points_pb2 import (
    CATALOG_OBJECT_TYPE_CATEGORY,
    CATALOG_OBJECT_TYPE_ITEM,
    CATALOG_OBJECT_TYPE_ITEM_VARIATION,
    CatalogObject,
)
from loyalty.types.v1.types_pb2 import Actor

from services.gateway import feed
from services.gateway.admin.catalog import Catalog
from services.gateway.admin.eligible import groups_of
from services.gateway.admin.promotions import days_of, hours_of
from services.gateway.feed import Item, What
from services.gateway.web.forms import amount_minor, typed_amount


def _catalog() -> Catalog:
    """Soins › Visage, a product with two sizes, and a gift card of no category."""
    category, item = CATALOG_OBJECT_TYPE_CATEGORY, CATALOG_OBJECT_TYPE_ITEM
    variation = CATALOG_OBJECT_TYPE_ITEM_VARIATION
    objects = [
        CatalogObject(id="soins", type=category, name="Soins"),
        CatalogObject(id="visage", type=category, name="Visage", category_ids=["soins"]),
        CatalogObject(id="produits", type=category, name="Produits"),
        CatalogObject(id="carte", type=item, name="Carte-cadeau"),
        CatalogObject(id="gommage", type=item, name="Gommage", category_ids=["visage"]),
        CatalogObject(id="creme", type=item, name="Crème", category_ids=["produits"]),
        CatalogObject(id="petite", type=variation, name="Petite", item_id="creme"),
        CatalogObject(id="grande", type=variation, name="Grande", item_id="creme"),
    ]
    sizes = [each for each in objects if each.type == variation]
    return Catalog(objects={each.id: each for each in objects}, variations={"creme": sizes})


def _shown(excluded: set[str], query: str = "") -> list[tuple[str, list[str]]]:
    groups = groups_of(_catalog(), frozenset(excluded), query)
    return [(group.name, [row.name for row in group.rows]) for group in groups]


def test_items_of_no_category_stand_at_the_bottom() -> None:
    """SQ-54."""
    assert _shown(set()) == [
        ("Produits", ["Crème"]),
        ("Soins", []),
        ("Soins › Visage", ["Gommage"]),
        ("", ["Carte-cadeau"]),
    ]


def test_a_search_finds_any_part_without_case_and_accents() -> None:
    """SQ-53: a category that matches comes with all that is in it."""
    assert _shown(set(), "CREM") == [("Produits", ["Crème"])]
    assert _shown(set(), "visage") == [("Soins › Visage", ["Gommage"])]
    assert _shown(set(), "cadeau") == [("", ["Carte-cadeau"])]
    assert _shown(set(), "rien") == []


def test_an_excluded_size_is_shown_and_a_category_speaks_for_what_lies_below_it() -> None:
    """SQ-53, SQ-55."""
    groups = groups_of(_catalog(), frozenset({"grande", "soins"}), "")
    rows = {row.name: row for group in groups for row in group.rows}

    assert (rows["Crème"].earns, rows["Crème – Grande"].earns) == (True, False)
    assert "Crème – Petite" not in rows
    assert (rows["Gommage"].earns, rows["Gommage"].by_category) == (True, True)
    assert [group.category.earns for group in groups if group.category] == [True, False, True]


def _item(seconds: int, **said: Any) -> Item:
    given: dict[str, Any] = {
        "what": What.EARNED,
        "at": Timestamp(seconds=seconds),
        "id": str(uuid4()),
        "member_id": "",
        "actor": Actor(),
    }
    return Item(**{**given, **said})


def test_a_feed_shows_nothing_older_than_where_one_of_its_sources_was_cut() -> None:
    """SQ-01: a later page would bring what belongs between."""
    items = [_item(seconds) for seconds in (50, 10, 40, 20)]
    cut = (20, 0, "00000000-0000-0000-0000-000000000000")

    page = feed._page(items, oldest=cut)

    assert [item.at.seconds for item in page.items] == [50, 40, 20]
    assert feed.read_mark(page.older) == cut


def test_a_feed_goes_on_from_its_last_line_where_much_happened_at_once() -> None:
    """SQ-01: things of one moment are split between pages, never lost."""
    items = [_item(7) for _ in range(feed.PAGE_ITEMS + 1)]

    page = feed._page(items, oldest=None)

    mark = feed.read_mark(page.older)
    left = {item.id for item in items} - {item.id for item in page.items}
    assert mark is not None
    assert len(left) == 1
    assert all((7, 0, each) < mark for each in left)


@pytest.mark.parametrize("text", ["", "x", "1.2", "1.2.x", "-1.0." + "0" * 32, "9" * 30 + ".0.x"])
def test_what_is_no_mark_shows_the_newest_page(text: str) -> None:
    assert feed.read_mark(text) is None


def test_numbers_of_a_feed_in_both_languages_and_in_a_programs_own_words() -> None:
    """SQ-03, SQ-05."""
    assert feed.worth_of(_item(1, points=12), "fr") == "12 points"
    assert feed.worth_of(_item(1, points=-1), "en") == "−1 point"
    assert feed.worth_of(_item(1, points=37, tier_bonus=7), "fr") == "30 + 7 bonus"
    stars = ("étoile", "étoiles à 100 %")
    assert feed.worth_of(_item(1, points=2), "fr", terms=stars) == "2 étoiles à 100 %"
    assert feed.worth_of(_item(1), "fr") == ""


def test_amounts_are_read_as_people_write_them() -> None:
    for typed, minor in (("20", 2000), ("12,5", 1250), ("12.05 $", 1205), ("1 000", 100_000)):
        assert amount_minor(typed, "fr", "amount") == (minor, amount_minor("1", "fr", "x")[1])
    for typed in ("", "0", "0,00", "-5", "1,234", "abc", "١٢"):
        assert amount_minor(typed, "fr", "amount")[1].fields
    assert [typed_amount(2000, "fr"), typed_amount(1205, "fr"), typed_amount(1250, "en")] == [
        "20",
        "12,05",
        "12.50",
    ]


@pytest.mark.parametrize(
    ("period", "days", "hours"),
    [
        (
            "DTSTART:20261103T100000\nDURATION:PT4H\nRRULE:FREQ=WEEKLY;BYDAY=TU,WE",
            ["TU", "WE"],
            ("10:00", "14:00"),
        ),
        (
            "BEGIN:VEVENT\nDTSTART:20261103T100000\nRRULE:FREQ=WEEKLY;BYDAY=TU\n"
            "DURATION:PT2H30M\nEND:VEVENT",
            ["TU"],
            ("10:00", "12:30"),
        ),
        (
            "BEGIN:VEVENT\r\nDTSTART;TZID=America/Toronto:20261103T220000\r\n"
            "DURATION:PT180M\r\nRRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\n",
            ["TU"],
            ("22:00", "01:00"),
        ),
        (
            "DTSTART:20261103T090000\nDTEND:20261103T173000\nRRULE:FREQ=DAILY",
            [],
            ("09:00", "17:30"),
        ),
        ("DTSTART:20261103T000000\nDURATION:PT24H\nRRULE:FREQ=DAILY", [], None),
        ("DTSTART:20261103T000000\nDURATION:P3D", [], None),
    ],
)
def test_the_days_and_hours_of_a_promotion_are_read_from_its_times(
    period: str, days: list[str], hours: tuple[str, str] | None
) -> None:
    """SQ-10: as the panel writes them, and in the order and with the line ends of any till."""
    assert days_of(period) == days
    assert hours_of(period) == hours
