"""The made-up ids of the OpenAPI document's examples, and the form of an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

KEY: Final = "0d7a4f34-6a52-4f0b-9d2e-1b0c8f7a6e55"
PROGRAM: Final = "5f0c8f3e-6a0e-4b51-9a57-0d8c0c5f1a10"
TIER: Final = "8f6b7c1a-2f6d-4d0e-8b3b-6f6c2f1f2a20"
MEMBER_TIERS: Final = (
    "0a1b2c3d-4e5f-4a6b-9c7d-8e9f0a1b2ce1",
    "0a1b2c3d-4e5f-4a6b-9c7d-8e9f0a1b2ce2",
)
ACCOUNT: Final = "c0a8012e-7d4b-5c55-8b35-3d1d1f9a4b30"
CUSTOMER: Final = "2b1d6f0c-9e53-4b8e-a6a4-7b0f6d5c3c40"
REWARD: Final = "7e1f4a9d-5b7c-4f62-9c0a-4a8b2d6e5d50"
LOCATION: Final = "a4d5f6b7-1c2d-4e3f-8a9b-0c1d2e3f4e60"
OFFER: Final = "3c4d5e6f-7a8b-4c9d-8e1f-2a3b4c5d6f70"
ORDER: Final = "b7c8d9e0-f1a2-4b3c-9d4e-5f6a7b8c9de1"
OPEN_ORDER: Final = "b7c8d9e0-f1a2-4b3c-9d4e-5f6a7b8c9de2"
ITEM: Final = "c8d9e0f1-a2b3-4c4d-8e5f-6a7b8c9d0ef1"
VARIATION: Final = "c8d9e0f1-a2b3-4c4d-8e5f-6a7b8c9d0ef2"
CATEGORY: Final = "c8d9e0f1-a2b3-4c4d-8e5f-6a7b8c9d0ef3"
EVENT: Final = "9a8b7c6d-5e4f-4a3b-8c2d-1e0f9a8b7c80"
DEVICE: Final = "6d7e8f9a-0b1c-4d2e-9f3a-4b5c6d7e8f90"
STAFF: Final = "1f2e3d4c-5b6a-4978-8695-a4b3c2d1e0a1"
API_KEY: Final = "4b5a6978-8796-4a5b-8c4d-3e2f1a0b9cb2"
CHAIN: Final = "e1d2c3b4-a596-4788-9a7b-6c5d4e3f2ac3"
PHONE: Final = "+15145550142"
THEN: Final = "2026-11-21T15:04:05.678Z"


class Example(NamedTuple):
    """What a caller sends, and what comes back; `request` is None where there is no body."""

    request: Mapping[str, Any] | None
    answer: Mapping[str, Any]
