"""The words of every message: given ones, a chain's own, and how either is rendered."""

from __future__ import annotations

from services.messaging.templates.checking import (
    CUSTOM,
    Preview,
    check,
    given_words,
    preview,
)
from services.messaging.templates.given import (
    HELP,
    NO_MORE_JOINING,
    STARTED,
    STOPPED,
    UNKNOWN,
)
from services.messaging.templates.names import variables
from services.messaging.templates.rendering import (
    NAME_LENGTH_MAX,
    NOTHING_BELOW,
    PLATFORM_NAME,
    Below,
    Words,
    render,
    short_name,
)

__all__ = [
    "CUSTOM",
    "HELP",
    "NAME_LENGTH_MAX",
    "NOTHING_BELOW",
    "NO_MORE_JOINING",
    "PLATFORM_NAME",
    "STARTED",
    "STOPPED",
    "UNKNOWN",
    "Below",
    "Preview",
    "Words",
    "check",
    "given_words",
    "preview",
    "render",
    "short_name",
    "variables",
]
