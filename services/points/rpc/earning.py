"""Earning over gRPC."""

from __future__ import annotations

from loyalty.points.v1 import points_pb2 as pb

from services.points.domain.earning import Earn, Origin, Scan, Tablet, Till, TypedCode
from services.points.domain.errors import EarnTokenInvalid, OriginRequired, Refusal
from services.points.domain.grants import GrantRequest
from services.points.domain.ids import ChainId, GrantId
from services.points.rpc import reading, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import adjusting, earn_tokens, earning, granting
from services.points.usecases.adjusting import Adjustment


class EarningServicer(Door):
    """Points that come by scan, code, tablet, till or hand."""

    async def GrantMultiPoint(
        self, request: pb.GrantMultiPointRequest, context: Context
    ) -> pb.GrantMultiPointResponse:
        """See `usecases.granting.grant_multi_point`."""
        grant = await granting.grant_multi_point(
            self._deps,
            GrantRequest(
                chain_id=reading.chain_id(request.chain_id),
                member_id=reading.member_id(request.member_id),
                program_id=reading.program_id(request.program_id),
                session_id=reading.foreign_id(request.session_id, field="session_id"),
                points=request.points,
            ),
            multi_point_code=request.multi_point_code,
        )
        return pb.GrantMultiPointResponse(
            grant_id=str(grant.id), expires_at=writing.timestamp(grant.expires_at)
        )

    async def EarnPoints(
        self, request: pb.EarnPointsRequest, context: Context
    ) -> pb.EarnPointsResponse:
        """See `usecases.earning.earn_points`."""
        wanted: list[Earn | Refusal] = []
        for item in request.items:
            try:
                wanted.append(self._earn(item))
            except Refusal as refusal:
                wanted.append(refusal)
        results = await earning.earn_points(self._deps, self._queue, wanted)
        return pb.EarnPointsResponse(outcomes=[writing.outcome(result) for result in results])

    def _earn(self, item: pb.EarnItem) -> Earn:
        chain_id = reading.chain_id(item.chain_id)
        return Earn(
            idempotency_key=item.idempotency_key,
            chain_id=chain_id,
            account_id=reading.account_id(item.account_id) if item.account_id else None,
            member_id=reading.member_id(item.member_id) if item.member_id else None,
            program_id=reading.program_id(item.program_id),
            salon_id=reading.salon_id(item.salon_id),
            actor=reading.actor(item.actor),
            session_id=reading.foreign_id(item.session_id, field="session_id"),
            occurred_at=reading.moment(item.occurred_at, field="occurred_at")
            if item.HasField("occurred_at")
            else None,
            origin=self._origin(item, chain_id),
        )

    def _origin(self, item: pb.EarnItem, chain_id: ChainId) -> Origin:
        match item.WhichOneof("origin"):
            case "scan":
                program_id, salon_id = earn_tokens.read_earn_token(
                    self._deps, chain_id=chain_id, earn_token=item.scan.earn_token
                )
                if reading.program_id(item.program_id) not in (None, program_id):
                    raise EarnTokenInvalid
                grant = reading.grant_uuid(item.scan.grant_id)
                return Scan(
                    program_id=program_id,
                    salon_id=salon_id,
                    grant_id=GrantId(grant) if grant else None,
                )
            case "typed_code":
                return TypedCode(
                    points_code=item.typed_code.points_code,
                    points=item.typed_code.points,
                    multi_point_code=item.typed_code.multi_point_code,
                )
            case "tablet":
                return Tablet()
            case "till":
                return Till(points=item.till.points)
        raise OriginRequired

    async def AdjustPoints(
        self, request: pb.AdjustPointsRequest, context: Context
    ) -> pb.AdjustPointsResponse:
        """See `usecases.adjusting.adjust_points`."""
        entry = await adjusting.adjust_points(
            self._deps,
            Adjustment(
                idempotency_key=request.idempotency_key,
                chain_id=reading.chain_id(request.chain_id),
                account_id=reading.account_id(request.account_id),
                points=request.points,
                reason=reading.REASONS.get(request.reason),
                note=request.note,
                allow_negative_balance=request.allow_negative_balance,
                salon_id=reading.salon_id(request.salon_id),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.AdjustPointsResponse(
            entry=writing.entry(entry), balance=entry.posting.balance_after
        )
