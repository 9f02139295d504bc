"""Multi-point grants: leave to give more than one point by the next scan (LS-25, D39)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.points.domain.earning import (
    GRANT_POINTS_MIN,
    GRANT_SECONDS,
    MULTI_POINT_MAX,
    require_points,
)
from services.points.domain.errors import GrantInvalid, IdInvalid
from services.points.domain.ids import ChainId, GrantId, MemberId, ProgramId


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """Leave to give so many points by one scan, to one member in one session and program."""

    chain_id: ChainId
    id: GrantId
    member_id: MemberId
    program_id: ProgramId
    session_id: str
    points: int
    granted_at: datetime
    expires_at: datetime
    used: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """Staff tap the green bar: so many points, and the multi-point code apart."""

    chain_id: ChainId
    member_id: MemberId
    program_id: ProgramId | None
    session_id: str
    points: int

    def __post_init__(self) -> None:
        """Refuses with PointsInvalid, or with IdInvalid where there is no session to bind it to."""
        require_points(self.points, minimum=GRANT_POINTS_MIN, maximum=MULTI_POINT_MAX)
        if not self.session_id:
            raise IdInvalid(field="session_id")


class MultiPointWay(StrEnum):
    """How the multi-point code was used."""

    GRANT = "grant"
    TYPED_CODE = "typed_code"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One use of the multi-point code; `subject_id` is the grant or the posting."""

    chain_id: ChainId
    program_id: ProgramId
    member_id: MemberId
    session_id: str
    way: MultiPointWay
    points: int
    subject_id: UUID


def opened(
    request: GrantRequest, *, program_id: ProgramId, grant_id: GrantId, now: datetime
) -> Grant:
    """The grant that a right code opens; `now` is real time, as for every code."""
    return Grant(
        chain_id=request.chain_id,
        id=grant_id,
        member_id=request.member_id,
        program_id=program_id,
        session_id=request.session_id,
        points=request.points,
        granted_at=now,
        expires_at=now + timedelta(seconds=GRANT_SECONDS),
    )


def require_bound(
    grant: Grant | None, *, member_id: MemberId, program_id: ProgramId, session_id: str
) -> Grant:
    """Refuses a grant that is not there or is somebody else's, without saying which."""
    if (
        grant is None
        or grant.member_id != member_id
        or grant.program_id != program_id
        or grant.session_id != session_id
    ):
        raise GrantInvalid
    return grant


def require_open(grant: Grant, *, now: datetime) -> None:
    """Refuses a grant that is past its two minutes of real time."""
    if now >= grant.expires_at:
        raise GrantInvalid
