"""The fields of a request as people read them on the documentation page."""

from __future__ import annotations

import pytest

from services.gateway.field_list import Field, Schema, fields_of, kind_of

MONEY: Schema = {
    "title": "Money",
    "type": "object",
    "required": ["amount"],
    "properties": {"amount": {"type": "integer", "minimum": 0, "maximum": 100}},
}
LINE: Schema = {
    "title": "Line",
    "type": "object",
    "required": ["quantity"],
    "properties": {
        "quantity": {"type": "string", "maxLength": 13, "description": "How\nmany."},
        "price": {"anyOf": [{"$ref": "#/components/schemas/Money"}, {"type": "null"}]},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
    },
}
ORDER: Schema = {
    "title": "Order",
    "type": "object",
    "required": ["lines"],
    "properties": {"lines": {"type": "array", "items": LINE, "minItems": 1, "maxItems": 500}},
}


def test_fields_are_listed_by_their_whole_names_once() -> None:
    """Also through lists, references and what may be null; a line in a line is told once."""
    found = fields_of(ORDER, {"Money": MONEY, "Line": LINE})

    assert found == [
        Field(name="lines", kind="list, at least 1, at most 500", needed=True, meaning=""),
        Field(name="lines[].quantity", kind="text, at most 13", needed=True, meaning="How many."),
        Field(name="lines[].price", kind="object", needed=False, meaning=""),
        Field(
            name="lines[].price.amount",
            kind="whole number, at least 0, at most 100",
            needed=True,
            meaning="",
        ),
        Field(name="lines[].parts", kind="list", needed=False, meaning=""),
    ]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string", "enum": ["SMS", "EMAIL"]}, "one of SMS, EMAIL"),
        ({"type": "string", "const": "ITEM"}, "ITEM"),
        ({"type": "string", "format": "date-time"}, "time (RFC 3339)"),
        ({"type": "string", "minLength": 3, "maxLength": 3}, "text, exactly 3"),
        ({"type": "boolean"}, "true or false"),
        ({}, "any value"),
    ],
)
def test_a_kind_is_told_in_words(schema: Schema, kind: str) -> None:
    assert kind_of(schema, {}) == kind
