"""Ids, so that one cannot be handed over in place of another."""

from __future__ import annotations

from typing import NewType
from uuid import UUID

ChainId = NewType("ChainId", UUID)
SalonId = NewType("SalonId", UUID)
MemberId = NewType("MemberId", UUID)
AccountId = NewType("AccountId", UUID)
ProgramId = NewType("ProgramId", UUID)
DefinitionId = NewType("DefinitionId", UUID)
RewardId = NewType("RewardId", UUID)
OfferId = NewType("OfferId", UUID)
SaleId = NewType("SaleId", UUID)
SettlementId = NewType("SettlementId", UUID)
RewardEventId = NewType("RewardEventId", UUID)
