"""One earn of one member, asked of points, with what it answers told to her other screens."""

from __future__ import annotations

import grpc
from loyalty.points.v1.points_pb2 import Earned, EarnItem, EarnPointsRequest

from services.chassis.errors import InvariantViolated, RemoteRefusal
from services.gateway.deps import Deps


async def earn(deps: Deps, item: EarnItem) -> Earned:
    """Earn once; the same key again answers the first entry. Raises points' refusals."""
    answer = await deps.clients.points.EarnPoints(EarnPointsRequest(items=[item]))
    if len(answer.outcomes) != 1:
        raise InvariantViolated("one earn was sent and not one outcome came back")
    outcome = answer.outcomes[0]
    if outcome.HasField("refusal"):
        refusal = outcome.refusal
        raise RemoteRefusal(
            code=refusal.code,
            field=refusal.field,
            params=refusal.params,
            status=grpc.StatusCode.FAILED_PRECONDITION,
            retry_after_seconds=refusal.retry_after_seconds,
        )
    await deps.live.publish(item.chain_id, item.member_id, "points")
    return outcome.earned
