"""What answers look like: Square's objects, field for field, made from the services' messages.

The types are the OpenAPI document's schemas too; `docs/api.md` says which fields are ours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NotRequired

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.enrollment.v1.enrollment_pb2 import Chain, Member, Salon
from loyalty.rewards.v1 import rewards_pb2
from loyalty.types.v1 import types_pb2
from typing_extensions import TypedDict

# Without a zone: its text has none either, and what is told is always UTC.
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001


def moment(value: Timestamp) -> str:
    """RFC 3339 in UTC, to the millisecond or finer where it has finer digits."""
    nanos = value.nanos
    if nanos % 1_000_000:
        return f"{_second(value.seconds)}.{nanos // 1000:06d}Z"
    return f"{_second(value.seconds)}.{nanos // 1_000_000:03d}Z"


# Answers tell of the same few seconds.
@lru_cache(maxsize=256)
def _second(since_1970: int) -> str:
    return (_EPOCH + timedelta(seconds=since_1970)).isoformat()


def channel_name(channel: types_pb2.Channel.ValueType) -> str:
    """`SMS` or `EMAIL`."""
    return types_pb2.Channel.Name(channel).removeprefix("CHANNEL_")


def language_code(language: types_pb2.Language.ValueType) -> str:
    """`fr` or `en`."""
    return "en" if language == types_pb2.LANGUAGE_EN else "fr"


def language_value(language: str | None) -> types_pb2.Language.ValueType:
    """What services call a language; unspecified when the caller does not say."""
    known = {"fr": types_pb2.LANGUAGE_FR, "en": types_pb2.LANGUAGE_EN}
    return known.get(language or "", types_pb2.LANGUAGE_UNSPECIFIED)


class Empty(TypedDict):
    """Done; there is nothing to say."""


class MoneyShape(TypedDict):
    """An amount in the smallest unit of its currency."""

    amount: int
    currency: str


class DefinitionShape(TypedDict):
    """What a reward is worth at the till."""

    scope: str
    discount_type: str
    percentage_discount: NotRequired[str]
    fixed_discount_money: NotRequired[MoneyShape]


class ReferenceShape(TypedDict):
    """Which terms, in which version."""

    object_id: str
    catalog_version: int


class RewardTierShape(TypedDict):
    """A reward definition: what a program offers for points."""

    id: str
    points: int
    name: str
    description: NotRequired[str]
    created_at: str
    definition: DefinitionShape
    pricing_rule_reference: ReferenceShape


class RewardShape(TypedDict):
    """A reward in a member's wallet; a coupon has an offer instead of account and tier."""

    id: str
    status: str
    loyalty_account_id: NotRequired[str]
    reward_tier_id: NotRequired[str]
    offer_id: NotRequired[str]
    customer_id: str
    name: str
    points: int
    definition: DefinitionShape
    created_at: str
    updated_at: str
    redeemed_at: NotRequired[str]
    expires_at: NotRequired[str]
    display_seconds_left: NotRequired[int]
    location_id: NotRequired[str]
    order_id: NotRequired[str]


class LocationAddressShape(TypedDict):
    """Where a salon is."""

    address_line_1: str


class LocationShape(TypedDict):
    """A salon."""

    id: str
    name: str
    timezone: str
    status: str
    created_at: str
    merchant_id: str
    language_code: str
    currency: str
    country: str
    type: str
    business_name: str
    address: NotRequired[LocationAddressShape]
    phone_number: NotRequired[str]


class CustomerShape(TypedDict):
    """A member's entry in the directory."""

    id: str
    created_at: str
    updated_at: str
    given_name: NotRequired[str]
    family_name: NotRequired[str]
    email_address: NotRequired[str]
    phone_number: NotRequired[str]
    birthday: NotRequired[str]
    note: NotRequired[str]
    reference_id: NotRequired[str]
    creation_source: str
    language_code: str
    version: int


def definition_shape(discount: rewards_pb2.Discount) -> DefinitionShape:
    """A discount, or `IN_KIND` where the name says it all ("Soin offert")."""
    match discount.WhichOneof("value"):
        case "percentage":
            return {
                "scope": "ORDER",
                "discount_type": "FIXED_PERCENTAGE",
                "percentage_discount": discount.percentage,
            }
        case "amount":
            money = discount.amount
            return {
                "scope": "ORDER",
                "discount_type": "FIXED_AMOUNT",
                "fixed_discount_money": {"amount": money.amount, "currency": money.currency},
            }
    return {"scope": "ORDER", "discount_type": "IN_KIND"}


def tier_shape(definition: rewards_pb2.RewardDefinition) -> RewardTierShape:
    """A reward definition as Square's reward tier."""
    shape: RewardTierShape = {
        "id": definition.id,
        "points": definition.points,
        "name": definition.name,
        "created_at": moment(definition.created_at),
        "definition": definition_shape(definition.discount),
        "pricing_rule_reference": {
            "object_id": definition.id,
            "catalog_version": definition.version,
        },
    }
    if definition.description:
        shape["description"] = definition.description
    return shape


_REWARD_STATUS: Final = {
    rewards_pb2.REWARD_STATUS_PENDING: "ISSUED",
    rewards_pb2.REWARD_STATUS_ISSUED: "ISSUED",
    rewards_pb2.REWARD_STATUS_REDEEMED: "REDEEMED",
    rewards_pb2.REWARD_STATUS_VOIDED: "DELETED",
    rewards_pb2.REWARD_STATUS_EXPIRED: "DELETED",
}


def reward_shape(reward: rewards_pb2.Reward) -> RewardShape:
    """A reward, with the terms that were frozen into it at the take (SQ-49)."""
    shape: RewardShape = {
        "id": reward.id,
        "status": _REWARD_STATUS.get(reward.status, "ISSUED"),
        "customer_id": reward.member_id,
        "name": reward.name,
        "points": reward.points,
        "definition": definition_shape(reward.discount),
        "created_at": moment(reward.created_at),
        "updated_at": moment(reward.updated_at),
    }
    if reward.account_id:
        shape["loyalty_account_id"] = reward.account_id
    if reward.definition_id:
        shape["reward_tier_id"] = reward.definition_id
    if reward.offer_id:
        shape["offer_id"] = reward.offer_id
    if reward.HasField("redeemed_at"):
        shape["redeemed_at"] = moment(reward.redeemed_at)
    if reward.HasField("expires_at"):
        shape["expires_at"] = moment(reward.expires_at)
    if reward.display_seconds_left:
        shape["display_seconds_left"] = reward.display_seconds_left
    if reward.redeemed_salon_id:
        shape["location_id"] = reward.redeemed_salon_id
    if reward.sale_id:
        shape["order_id"] = reward.sale_id
    return shape


def country_of(zone: str) -> str:
    """The country of a time zone; Canada where a zone belongs to none."""
    # Babel's global data is read at its first use, not at import.
    from babel.core import get_global

    return str(get_global("zone_territories").get(zone, "CA"))


def location_shape(salon: Salon, chain: Chain) -> LocationShape:
    """A salon as Square's location."""
    shape: LocationShape = {
        "id": salon.id,
        "name": salon.name,
        "timezone": salon.time_zone,
        "status": "ACTIVE" if salon.active else "INACTIVE",
        "created_at": moment(salon.created_at),
        "merchant_id": chain.id,
        "language_code": "en-CA" if chain.language == types_pb2.LANGUAGE_EN else "fr-CA",
        "currency": chain.currency,
        "country": country_of(salon.time_zone),
        "type": "PHYSICAL",
        "business_name": chain.name,
    }
    if salon.address:
        shape["address"] = {"address_line_1": salon.address}
    if salon.phone:
        shape["phone_number"] = salon.phone
    return shape


_CREATION_SOURCE: Final = {
    types_pb2.ENROLLMENT_SOURCE_IMPORT: "IMPORT",
    types_pb2.ENROLLMENT_SOURCE_PANEL: "DIRECTORY",
}


def customer_shape(member: Member) -> CustomerShape:
    """A member as Square's customer; what she has not told is left out."""
    shape: CustomerShape = {
        "id": member.id,
        "created_at": moment(member.created_at),
        "updated_at": moment(member.updated_at),
        "creation_source": _CREATION_SOURCE.get(member.source, "LOYALTY"),
        "language_code": language_code(member.language),
        "version": member.version,
    }
    if member.given_name:
        shape["given_name"] = member.given_name
    if member.family_name:
        shape["family_name"] = member.family_name
    if member.email:
        shape["email_address"] = member.email
    if member.phone:
        shape["phone_number"] = member.phone
    if member.birthday:
        # Square writes a birthday without its year in the year 0000.
        shape["birthday"] = member.birthday.replace("--", "0000-", 1)
    if member.note:
        shape["note"] = member.note
    if member.reference_id:
        shape["reference_id"] = member.reference_id
    return shape
