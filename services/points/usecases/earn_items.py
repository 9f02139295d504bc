"""One earn on its way: as it arrives, as it is claimed, and as it is answered."""

from __future__ import annotations

from typing import TypeAlias

from services.chassis.errors import RateLimited
from services.chassis.idempotency import Claim
from services.chassis.uuids import uuid_from
from services.points.domain.codes import CodeKind
from services.points.domain.earning import Earn, Origin, Scan, Tablet, Till, TypedCode, Worth
from services.points.domain.errors import CodesUnavailable
from services.points.domain.ids import AccountId, ChainId, GrantId, MemberId, PostingId, SalonId
from services.points.domain.ledger import Entry
from services.points.domain.programs import Program
from services.points.domain.values import dataclass
from services.points.usecases import requests
from services.points.usecases.deps import Deps

OPERATION = "earn"

AccountName: TypeAlias = tuple[ChainId, AccountId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An earn that waits for its transaction. `barred` says why its codes may not be looked at."""

    earn: Earn
    claim: Claim
    # Of the posting that it will be, if it counts; its claim says so already.
    posting_id: PostingId
    barred: RateLimited | CodesUnavailable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """The entry of an earn: the first one where it counted before, by its key or as a visit."""

    entry: Entry
    already_counted: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of one earn, and which of its codes turned out right."""

    result: Earned | Exception
    right_codes: tuple[CodeKind, ...] = ()


@dataclass(slots=True, kw_only=True)
class Candidate:
    """An earn on its way through the batch, where it becomes known whose it is and what worth."""

    place: int
    earn: Earn
    account_id: AccountId
    member_id: MemberId | None
    program: Program | None = None
    worth: Worth | None = None

    @property
    def name(self) -> AccountName:
        """Chain and account."""
        return (self.earn.chain_id, self.account_id)

    @property
    def salon_id(self) -> SalonId | None:
        """Where it was: a scan says so by its token."""
        origin = self.earn.origin
        return origin.salon_id if isinstance(origin, Scan) else self.earn.salon_id

    @property
    def grant_id(self) -> GrantId | None:
        """The grant that it wants to use."""
        origin = self.earn.origin
        return origin.grant_id if isinstance(origin, Scan) else None


def arrival(
    deps: Deps, earn: Earn, *, barred: RateLimited | CodesUnavailable | None = None
) -> Arrival:
    """An earn with its claim, which holds the answer that it gets when it counts as it should.

    Refuses with KeyInvalid.
    """
    meaning = (
        str(earn.account_id or ""),
        str(earn.member_id or ""),
        str(earn.program_id or ""),
        str(earn.salon_id or ""),
        earn.occurred_at.isoformat() if earn.occurred_at else "",
        *_origin_meaning(earn.origin),
    )
    posting_id = PostingId(deps.new_id())
    claim = requests.claim(
        deps,
        chain_id=earn.chain_id,
        operation=OPERATION,
        key=earn.idempotency_key,
        meaning=meaning,
        answer=packed(posting_id, already_counted=False),
    )
    return Arrival(earn=earn, claim=claim, posting_id=posting_id, barred=barred)


def _origin_meaning(origin: Origin) -> tuple[object, ...]:
    match origin:
        case Scan(program_id=program_id, salon_id=salon_id, grant_id=grant_id):
            return ("scan", str(program_id), str(salon_id), str(grant_id or ""))
        case TypedCode(points_code=code, points=points, multi_point_code=multi):
            return ("typed_code", code, points, multi)
        case Tablet():
            return ("tablet",)
        case Till(points=points):
            return ("till", points)


def packed(posting_id: PostingId, *, already_counted: bool) -> bytes:
    """The stored answer: the entry never changes, so its id is enough."""
    return posting_id.bytes + (b"\x01" if already_counted else b"\x00")


def unpacked(answer: bytes) -> tuple[PostingId, bool]:
    """The entry that was answered, and whether it had counted before."""
    return PostingId(uuid_from(answer[:16])), answer[16:] == b"\x01"
