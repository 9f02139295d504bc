"""Earning points: one request or many, each with its own answer."""

from __future__ import annotations

from collections.abc import Sequence

from services.chassis.errors import KeyReused, RateLimited
from services.points import metrics
from services.points.domain import earning
from services.points.domain.codes import CodeKind
from services.points.domain.earning import Earn, TypedCode
from services.points.domain.errors import Refusal
from services.points.usecases import code_guard
from services.points.usecases.code_guard import Guesser
from services.points.usecases.deps import Deps
from services.points.usecases.earn_items import Arrival, Earned, claim_of
from services.points.usecases.earn_queue import BATCH_ITEMS_MAX, EarnQueue

# Of one request; as many as one transaction takes.
ITEMS_MAX = BATCH_ITEMS_MAX


async def earn_points(
    deps: Deps, queue: EarnQueue, wanted: Sequence[Earn | Refusal]
) -> list[Earned | Exception]:
    """Count earns, each by itself; a refused one comes back as its refusal, in its place.

    An item that could not even be read stands in `wanted` as a refusal already. Repeatable: the
    same key returns the first entry. Raises Overloaded or `Unavailable` for all of them.
    """
    earning.require_items(len(wanted), items_max=ITEMS_MAX)
    results: dict[int, Earned | Exception] = {}
    arrivals: dict[int, Arrival] = {}
    for place, earn in enumerate(wanted):
        try:
            arrivals[place] = await _admitted(deps, earn)
        except Refusal as refusal:
            results[place] = refusal
    outcomes = await queue.count(list(arrivals.values()))
    for (place, arrival), outcome in zip(arrivals.items(), outcomes, strict=True):
        results[place] = outcome.result
        # A resend forgives nothing: its code may have been changed since.
        if outcome.right_codes:
            await code_guard.forgive(deps, outcome.right_codes, _guesser(arrival.earn))
    in_order = [results[place] for place in range(len(wanted))]
    for result in in_order:
        _count(result)
    return in_order


async def _admitted(deps: Deps, earn: Earn | Refusal) -> Arrival:
    """An earn that may wait for its transaction, with the guesses taken that its codes cost.

    The guesses are taken here, before the transaction: no lock waits for Redis.
    """
    if isinstance(earn, Refusal):
        raise earn
    earning.require_sound(earn.origin)
    claim = claim_of(deps, earn)
    barred = None
    if isinstance(earn.origin, TypedCode):
        kinds = [CodeKind.POINTS] + ([CodeKind.MULTI_POINT] if earn.origin.points > 1 else [])
        barred = await code_guard.reserve(deps, kinds, _guesser(earn))
    return Arrival(earn=earn, claim=claim, barred=barred)


def _guesser(earn: Earn) -> Guesser:
    return Guesser(
        chain_id=earn.chain_id,
        holder_id=earn.member_id or earn.account_id,
        session_id=earn.session_id,
    )


def _count(result: Earned | Exception) -> None:
    if isinstance(result, Earned):
        if result.replayed:
            metrics.EARNS_TOTAL.labels("replayed").inc()
        elif result.already_counted:
            metrics.EARNS_TOTAL.labels("already_counted").inc()
        else:
            metrics.EARNS_TOTAL.labels("counted").inc()
            posting = result.entry.posting
            if posting.earn_source is not None:
                metrics.POINTS_EARNED_TOTAL.labels(posting.earn_source.value).inc(posting.points)
    elif isinstance(result, Refusal | RateLimited | KeyReused):
        metrics.EARNS_TOTAL.labels("refused").inc()
        metrics.EARN_REFUSALS_TOTAL.labels(result.code).inc()
    else:
        metrics.EARNS_TOTAL.labels("failed").inc()
