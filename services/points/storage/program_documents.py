"""Programs as documents: an answer that is kept for its key."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from services.points.domain.ids import ChainId, ProgramId, SalonId
from services.points.domain.programs import Program, RefundSettings
from services.points.domain.terms import DebtRule, RewardOnRefund, VisitRefundBasis
from services.points.domain.tiers import Ladder
from services.points.storage.sale_documents import rule_document, rule_from
from services.points.storage.tier_documents import tier_document, tier_from

Document: TypeAlias = dict[str, Any]


def program_document(program: Program) -> Document:
    """A program whole; its codes are not in it."""
    ladder, refunds = program.ladder, program.refunds
    return {
        "chain_id": str(program.chain_id),
        "id": str(program.id),
        "name": program.name,
        "term_one": program.term_one,
        "term_other": program.term_other,
        "active": program.active,
        "rules": [rule_document(rule) for rule in program.rules],
        "visit_points": program.visit_points,
        "expiry_policy": program.expiry_policy,
        "ladder": {
            "tiers": [tier_document(tier) for tier in ladder.tiers],
            "launched_at": ladder.launched_at.isoformat(),
        }
        if ladder
        else None,
        "refunds": {
            "visit_refund_basis": refunds.visit_refund_basis.value,
            "debt_rule": refunds.debt_rule.value,
            "reward_on_refund": refunds.reward_on_refund.value,
        },
        "salon_ids": [str(salon_id) for salon_id in program.salon_ids],
        "cool_down_seconds": program.cool_down_seconds,
        "points_code_digits": program.points_code_digits,
        "created_at": program.created_at.isoformat(),
        "updated_at": program.updated_at.isoformat(),
        "version": program.version,
    }


def program_from(document: Mapping[str, Any]) -> Program:
    """The program of a document."""
    ladder, refunds = document["ladder"], document["refunds"]
    return Program(
        chain_id=ChainId(UUID(document["chain_id"])),
        id=ProgramId(UUID(document["id"])),
        name=document["name"],
        term_one=document["term_one"],
        term_other=document["term_other"],
        active=document["active"],
        rules=tuple(rule_from(rule) for rule in document["rules"]),
        visit_points=document["visit_points"],
        expiry_policy=document["expiry_policy"],
        ladder=Ladder(
            tiers=tuple(tier_from(tier) for tier in ladder["tiers"]),
            launched_at=datetime.fromisoformat(ladder["launched_at"]),
        )
        if ladder
        else None,
        refunds=RefundSettings(
            visit_refund_basis=VisitRefundBasis(refunds["visit_refund_basis"]),
            debt_rule=DebtRule(refunds["debt_rule"]),
            reward_on_refund=RewardOnRefund(refunds["reward_on_refund"]),
        ),
        salon_ids=tuple(SalonId(UUID(salon_id)) for salon_id in document["salon_ids"]),
        cool_down_seconds=document["cool_down_seconds"],
        points_code_digits=document["points_code_digits"],
        created_at=datetime.fromisoformat(document["created_at"]),
        updated_at=datetime.fromisoformat(document["updated_at"]),
        version=document["version"],
    )
