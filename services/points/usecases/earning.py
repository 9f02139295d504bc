"""Earning points: one request or many, each with its own answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from services.chassis.errors import KeyReused, RateLimited
from services.points import metrics
from services.points.domain import earning
from services.points.domain.codes import CodeKind
from services.points.domain.earning import Earn, TypedCode
from services.points.domain.errors import Refusal
from services.points.usecases import code_guard
from services.points.usecases.code_guard import Guesser
from services.points.usecases.deps import Deps
from services.points.usecases.earn_items import Arrival, Earned, arrival
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
    admitted: dict[int, Arrival] = {}
    for place, earn in enumerate(wanted):
        try:
            admitted[place] = await _admitted(deps, earn)
        except Refusal as refusal:
            results[place] = refusal
    outcomes = await queue.count(list(admitted.values()))
    for (place, one), outcome in zip(admitted.items(), outcomes, strict=True):
        results[place] = outcome.result
        # A resend forgives nothing: its code may have been changed since.
        if outcome.right_codes:
            await code_guard.forgive(deps, outcome.right_codes, _guesser(one.earn))
    _count(results.values())
    return [results[place] for place in range(len(wanted))]


async def _admitted(deps: Deps, earn: Earn | Refusal) -> Arrival:
    """An earn that may wait for its transaction, with the guesses taken that its codes cost.

    The guesses are taken here, before the transaction: no lock waits for Redis.
    """
    if isinstance(earn, Refusal):
        raise earn
    earning.require_sound(earn.origin)
    found = arrival(deps, earn)
    if isinstance(earn.origin, TypedCode):
        kinds = [CodeKind.POINTS] + ([CodeKind.MULTI_POINT] if earn.origin.points > 1 else [])
        return replace(found, barred=await code_guard.reserve(deps, kinds, _guesser(earn)))
    return found


def _guesser(earn: Earn) -> Guesser:
    return Guesser(
        chain_id=earn.chain_id,
        holder_id=earn.member_id or earn.account_id,
        session_id=earn.session_id,
    )


def _count(results: Collection[Earned | Exception]) -> None:
    """Take note of what became of them, each number once."""
    earns = Counter(map(_fate, results))
    for (fate, code), times in earns.items():
        metrics.EARNS_TOTAL.labels(fate).inc(times)
        if code:
            metrics.EARN_REFUSALS_TOTAL.labels(code).inc(times)
    points: Counter[str] = Counter()
    for result in results:
        if isinstance(result, Earned) and not (result.replayed or result.already_counted):
            posting = result.entry.posting
            if posting.earn_source is not None:
                points[posting.earn_source.value] += posting.points
    for source, earned in points.items():
        metrics.POINTS_EARNED_TOTAL.labels(source).inc(earned)


def _fate(result: Earned | Exception) -> tuple[str, str]:
    """What became of an earn, and the code of its refusal."""
    if isinstance(result, Earned):
        if result.replayed:
            return "replayed", ""
        return ("already_counted" if result.already_counted else "counted"), ""
    if isinstance(result, Refusal | RateLimited | KeyReused):
        return "refused", result.code
    return "failed", ""
