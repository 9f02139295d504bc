"""Ids of points, and those of them that follow from others (ADR 0005)."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import NewType
from uuid import UUID, uuid5

ChainId = NewType("ChainId", UUID)
SalonId = NewType("SalonId", UUID)
MemberId = NewType("MemberId", UUID)
ProgramId = NewType("ProgramId", UUID)
AccountId = NewType("AccountId", UUID)
PostingId = NewType("PostingId", UUID)
LotId = NewType("LotId", UUID)
RewardId = NewType("RewardId", UUID)
GrantId = NewType("GrantId", UUID)
SaleId = NewType("SaleId", UUID)
PromotionId = NewType("PromotionId", UUID)
TierId = NewType("TierId", UUID)
# A line of a sale is named by the till that made it; catalog ids are the till's as well.
LineUid = NewType("LineUid", str)
CatalogId = NewType("CatalogId", str)
# A refund or an exchange, as the till calls it.
ChangeId = NewType("ChangeId", str)

# Drawn once. Another value would give every member another account: it never changes.
NAMESPACE = UUID("80299b9c-9ddf-4b38-aa4b-1a6af64a0f21")


class Side(StrEnum):
    """A program's own accounts, where points come from and where they go."""

    ISSUED = "issued"
    REDEEMED = "redeemed"
    ADJUSTED = "adjusted"
    EXPIRED = "expired"


def member_account_id(*, member_id: MemberId, program_id: ProgramId) -> AccountId:
    """The one account of a member in a program; everybody computes the same, asking nobody."""
    return AccountId(uuid5(NAMESPACE, f"{member_id}|{program_id}"))


# Every posting asks for one of a handful.
@lru_cache(maxsize=4096)
def side_account_id(program_id: ProgramId, side: Side) -> AccountId:
    """One of a program's own accounts. It keeps no running balance: that would be one hot row."""
    return AccountId(uuid5(NAMESPACE, f"{program_id}|{side.value}"))
