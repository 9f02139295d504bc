"""Codes that were typed in a batch of earns: looked at one by one, counted all at once."""

from __future__ import annotations

from collections.abc import Sequence

from services.chassis.errors import RateLimited
from services.chassis.postgres import Connection
from services.points.domain.codes import CodeKind, CodeTry
from services.points.domain.earning import TypedCode
from services.points.domain.errors import CodeInvalid, CodesLocked, CodesUnavailable
from services.points.domain.ids import AccountId, ChainId
from services.points.domain.programs import Program
from services.points.storage import code_failures
from services.points.storage.programs import SealedCodes
from services.points.usecases import code_guard
from services.points.usecases.deps import Deps
from services.points.usecases.earn_items import Candidate


class TypedCodes:
    """What the codes of one batch turned out to be."""

    def __init__(self, deps: Deps, conn: Connection) -> None:
        self._deps = deps
        self._conn = conn
        self._locked: set[tuple[ChainId, AccountId, CodeKind]] = set()
        self._failed: list[CodeTry] = []
        self._right: list[CodeTry] = []
        self._right_of: dict[int, tuple[CodeKind, ...]] = {}

    async def look_up(self, candidates: Sequence[Candidate]) -> None:
        """Read which codes are locked for the accounts that typed some."""
        typed = [each.name for each in candidates if isinstance(each.earn.origin, TypedCode)]
        self._locked = await code_failures.locked(self._conn, typed)

    def check(
        self,
        candidate: Candidate,
        *,
        program: Program,
        origin: TypedCode,
        sealed: SealedCodes,
        barred: RateLimited | CodesUnavailable | None,
    ) -> None:
        """Look at the typed codes, the points code first: it alone never says more than no.

        Refuses with CodesLocked, CodeInvalid, or with what bars the guesser.
        """
        if barred is not None:
            raise barred
        typed = [(CodeKind.POINTS, origin.points_code)]
        if origin.points > 1:
            typed.append((CodeKind.MULTI_POINT, origin.multi_point_code))
        if any((*candidate.name, kind) in self._locked for kind, _ in typed):
            raise CodesLocked
        verdicts = [
            (kind, code_guard.typed_right(self._deps, kind, typed=code, sealed=sealed))
            for kind, code in typed
        ]
        for kind, right in verdicts:
            code_try = CodeTry(
                chain_id=program.chain_id,
                account_id=candidate.account_id,
                program_id=program.id,
                kind=kind,
            )
            if not right:
                self._failed.append(code_try)
                raise CodeInvalid(field=kind.field)
            self._right.append(code_try)
            self._right_of[candidate.place] = (*self.right_of(candidate.place), kind)

    def right_of(self, place: int) -> tuple[CodeKind, ...]:
        """Which codes of one earn were right."""
        return self._right_of.get(place, ())

    async def record(self) -> None:
        """Count wrong codes, and end the rows of those that were right."""
        await code_guard.record(self._deps, self._conn, failed=self._failed, right=self._right)
