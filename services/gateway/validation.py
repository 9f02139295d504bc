"""From pydantic's findings to Square's error codes, with the field as the caller wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.gateway.errors import ApiError

# A body of nonsense can have a fault per byte; people read the first few.
ERRORS_MAX = 20

_CODES: Final[Mapping[str, str]] = {
    "missing": "MISSING_REQUIRED_PARAMETER",
    "string_type": "EXPECTED_STRING",
    "string_unicode": "INVALID_TEXT",
    "string_too_short": "VALUE_TOO_SHORT",
    "string_too_long": "VALUE_TOO_LONG",
    "string_pattern_mismatch": "VALUE_REGEX_MISMATCH",
    "int_type": "EXPECTED_INTEGER",
    "int_parsing": "EXPECTED_INTEGER",
    "int_from_float": "EXPECTED_INTEGER",
    "int_parsing_size": "VALUE_TOO_HIGH",
    "bool_type": "EXPECTED_BOOLEAN",
    "bool_parsing": "EXPECTED_BOOLEAN",
    "greater_than_equal": "VALUE_TOO_LOW",
    "less_than_equal": "VALUE_TOO_HIGH",
    "list_type": "EXPECTED_ARRAY",
    "too_long": "ARRAY_LENGTH_TOO_LONG",
    "too_short": "ARRAY_LENGTH_TOO_SHORT",
    "model_type": "EXPECTED_OBJECT",
    "model_attributes_type": "EXPECTED_OBJECT",
    "dict_type": "EXPECTED_OBJECT",
    "literal_error": "INVALID_ENUM_VALUE",
    "enum": "INVALID_ENUM_VALUE",
    "json_invalid": "EXPECTED_JSON_BODY",
}
# Where FastAPI found it; callers know only their field.
_PLACES: Final = frozenset({"body", "query", "path", "header", "cookie"})


def field_of(location: Sequence[Any]) -> str:
    """`reward.reward_tier_id`, `query.mappings[0].phone_number`."""
    parts = list(location[1:] if location and location[0] in _PLACES else location)
    field = ""
    for part in parts:
        if isinstance(part, int):
            field += f"[{part}]"
        else:
            field += f".{part}" if field else str(part)
    return field


def _error(finding: Mapping[str, Any]) -> ApiError:
    location: Sequence[Any] = finding.get("loc", ())
    kind = str(finding.get("type", ""))
    context: Mapping[str, Any] = finding.get("ctx") or {}
    params = {name: str(value) for name, value in context.items() if name != "error"}
    code = _CODES.get(kind, "INVALID_VALUE")
    if kind == "missing" and len(location) <= 1:
        # The body itself is missing.
        return ApiError.of("EXPECTED_JSON_BODY")
    if kind == "json_invalid":
        # FastAPI tells where the parser stopped, from 0.
        position = location[-1] if location and isinstance(location[-1], int) else None
        if position is not None:
            return ApiError.of("JSON_MALFORMED", params={"position": str(position + 1)})
        return ApiError.of(code)
    if kind == "string_too_short" and params.get("min_length") == "1":
        code = "VALUE_EMPTY"
    if code == "INVALID_ENUM_VALUE":
        # Pydantic writes "'fr' or 'en'", and only in English.
        params["expected"] = params.get("expected", "").replace(" or ", ", ").replace("'", "")
    if kind == "refused":
        # Our own validators name the code themselves.
        code = params.pop("code", code)
    if code == "EXPECTED_OBJECT" and len(location) <= 1:
        return ApiError.of("EXPECTED_JSON_BODY")
    return ApiError.of(code, field=field_of(location), params=params)


def errors_of(findings: Sequence[Mapping[str, Any]]) -> list[ApiError]:
    """The errors to tell for pydantic's findings, in their order."""
    return [_error(finding) for finding in findings[:ERRORS_MAX]] or [ApiError.of("BAD_REQUEST")]
