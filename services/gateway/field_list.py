"""The fields of a request's schema as a list to read: name, kind, and whether it is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_KINDS: Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
}
_FORMATS: Final = {"date-time": "time (RFC 3339)", "date": "day (YYYY-MM-DD)"}
# The schema's words for the least and the most of a number, a text and a list.
_LIMITS: Final = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field by its whole name, as refusals name it: `order.line_items[].quantity`."""

    name: str
    kind: str
    needed: bool
    meaning: str


def fields_of(schema: Schema, schemas: Mapping[str, Schema]) -> list[Field]:
    """Every field that a body of this schema may have, the outer ones before what they hold."""
    return list(_within(schema, schemas, prefix="", above=()))


def kind_of(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """What may stand in a field: "text, at most 36", "one of SMS, EMAIL"."""
    found = _resolved(schema, schemas)
    if "enum" in found:
        return f"one of {', '.join(map(str, found['enum']))}"
    if "const" in found:
        return str(found["const"])
    kind = _FORMATS.get(found.get("format", "")) or _KINDS.get(found.get("type", ""), "any value")
    return ", ".join([kind, *_limits(found)])


def _limits(found: Schema) -> Iterator[str]:
    for least, most in _LIMITS:
        if least in found and found[least] == found.get(most):
            yield f"exactly {found[least]:.0f}"
            continue
        if least in found:
            yield f"at least {found[least]:.0f}"
        if most in found:
            yield f"at most {found[most]:.0f}"


def _within(
    schema: Schema, schemas: Mapping[str, Schema], *, prefix: str, above: tuple[str, ...]
) -> Iterator[Field]:
    found = _resolved(schema, schemas)
    if "items" in found:
        found, prefix = _resolved(found["items"], schemas), f"{prefix}[]"
    # Variations of an item are objects of the catalog, as the item is.
    title = str(found.get("title", ""))
    if title and title in above:
        return
    needed = found.get("required", ())
    for name, inner in found.get("properties", {}).items():
        path = f"{prefix}.{name}" if prefix else name
        yield Field(
            name=path,
            kind=kind_of(inner, schemas),
            needed=name in needed,
            meaning=_meaning(inner, schemas),
        )
        yield from _within(inner, schemas, prefix=path, above=(*above, title))


def _resolved(schema: Schema, schemas: Mapping[str, Schema]) -> Schema:
    """The schema itself, past references and the null that a field may be instead."""
    while True:
        if "$ref" in schema:
            schema = schemas[schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = next(each for each in schema["anyOf"] if each.get("type") != "null")
        else:
            return schema


def _meaning(schema: Schema, schemas: Mapping[str, Schema]) -> str:
    """The words that stand with it; where it holds fields of its own, these say more."""
    found = _resolved(schema, schemas)
    if "properties" in found:
        return ""
    return str(schema.get("description") or found.get("description", "")).replace("\n", " ")
