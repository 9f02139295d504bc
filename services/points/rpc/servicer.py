"""The servicer of points: each method reads its request, calls one use case, writes its answer."""

from __future__ import annotations

from typing import Any, TypeAlias

import grpc
from loyalty.points.v1 import points_pb2 as pb
from loyalty.points.v1 import points_pb2_grpc

from services.points.domain.earning import Earn, Origin, Scan, Tablet, Till, TypedCode
from services.points.domain.errors import (
    EarnTokenInvalid,
    OriginRequired,
    Refusal,
    SalonUnknown,
)
from services.points.domain.grants import GrantRequest
from services.points.domain.history import EntryQuery
from services.points.domain.ids import AccountId, ChainId, GrantId, MemberId, SalonId
from services.points.domain.programs import ProgramChange
from services.points.rpc import reading, writing
from services.points.usecases import (
    accounts,
    adjusting,
    earn_tokens,
    earning,
    granting,
    history,
    paying,
    programs,
)
from services.points.usecases.adjusting import Adjustment
from services.points.usecases.deps import Deps
from services.points.usecases.earn_queue import EarnQueue
from services.points.usecases.paying import Debit, Return
from services.points.usecases.programs import NewProgram, ProgramSave

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class PointsServicer(points_pb2_grpc.PointsServiceServicer):
    """`loyalty.points.v1.PointsService`."""

    def __init__(self, deps: Deps, queue: EarnQueue) -> None:
        self._deps = deps
        self._queue = queue

    # -- programs --------------------------------------------------------------------------

    async def CreateProgram(
        self, request: pb.CreateProgramRequest, context: Context
    ) -> pb.CreateProgramResponse:
        """See `usecases.programs.create_program`."""
        optional = request.HasField("cool_down_seconds")
        created = await programs.create_program(
            self._deps,
            NewProgram(
                idempotency_key=request.idempotency_key,
                chain_id=reading.chain_id(request.chain_id),
                name=request.name,
                term_one=request.term_one,
                term_other=request.term_other,
                accrual_type=reading.accrual_type(request.accrual_type),
                visit_points=request.visit_points,
                salon_ids=_salon_ids(request.salon_ids),
                points_code=request.points_code,
                multi_point_code=request.multi_point_code,
                cool_down_seconds=request.cool_down_seconds if optional else None,
            ),
        )
        return pb.CreateProgramResponse(program=writing.program(created))

    async def UpdateProgram(
        self, request: pb.UpdateProgramRequest, context: Context
    ) -> pb.UpdateProgramResponse:
        """See `usecases.programs.update_program`."""

        def given(name: str) -> Any:
            return getattr(request, name) if request.HasField(name) else None  # type: ignore[arg-type]

        change = ProgramChange(
            name=given("name"),
            term_one=given("term_one"),
            term_other=given("term_other"),
            active=given("active"),
            visit_points=given("visit_points"),
            cool_down_seconds=given("cool_down_seconds"),
            salon_ids=_salon_ids(request.salon_ids) if request.replace_salon_ids else None,
        )
        saved = await programs.update_program(
            self._deps,
            ProgramSave(
                idempotency_key=request.idempotency_key,
                chain_id=reading.chain_id(request.chain_id),
                program_id=reading.program_id(request.program_id),
                change=change,
                accrual_type=reading.accrual_type(given("accrual_type") or 0),
                points_code=given("points_code"),
                multi_point_code=given("multi_point_code"),
            ),
        )
        return pb.UpdateProgramResponse(program=writing.program(saved))

    async def GetProgram(
        self, request: pb.GetProgramRequest, context: Context
    ) -> pb.GetProgramResponse:
        """See `usecases.programs.get_program`."""
        found = await programs.get_program(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
        )
        return pb.GetProgramResponse(program=writing.program(found))

    async def ListPrograms(
        self, request: pb.ListProgramsRequest, context: Context
    ) -> pb.ListProgramsResponse:
        """See `usecases.programs.list_programs`."""
        found = await programs.list_programs(
            self._deps, chain_id=reading.chain_id(request.chain_id)
        )
        return pb.ListProgramsResponse(programs=[writing.program(each) for each in found])

    async def GetProgramCodes(
        self, request: pb.GetProgramCodesRequest, context: Context
    ) -> pb.GetProgramCodesResponse:
        """See `usecases.programs.get_program_codes`. The only answer that holds a code."""
        view = await programs.get_program_codes(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
        )
        return pb.GetProgramCodesResponse(
            codes=pb.ProgramCodes(
                points_code=view.codes.points_code,
                multi_point_code=view.codes.multi_point_code,
            ),
            code_failures=view.code_failures,
        )

    async def GetEarnToken(
        self, request: pb.GetEarnTokenRequest, context: Context
    ) -> pb.GetEarnTokenResponse:
        """See `usecases.earn_tokens.get_earn_token`."""
        salon_id = reading.salon_id(request.salon_id)
        if salon_id is None:
            raise SalonUnknown
        token = await earn_tokens.get_earn_token(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            program_id=reading.program_id(request.program_id),
            salon_id=salon_id,
        )
        return pb.GetEarnTokenResponse(earn_token=token)

    async def ReadEarnToken(
        self, request: pb.ReadEarnTokenRequest, context: Context
    ) -> pb.ReadEarnTokenResponse:
        """See `usecases.earn_tokens.read_earn_token`."""
        program_id, salon_id = earn_tokens.read_earn_token(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            earn_token=request.earn_token,
        )
        return pb.ReadEarnTokenResponse(program_id=str(program_id), salon_id=str(salon_id))

    # -- earning ---------------------------------------------------------------------------

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

    async def DebitPoints(
        self, request: pb.DebitPointsRequest, context: Context
    ) -> pb.DebitPointsResponse:
        """See `usecases.paying.debit_points`."""
        entry = await paying.debit_points(
            self._deps,
            Debit(
                chain_id=reading.chain_id(request.chain_id),
                account_id=reading.account_id(request.account_id),
                reward_id=reading.reward_id(request.reward_id),
                points=request.points,
                salon_id=reading.salon_id(request.salon_id),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.DebitPointsResponse(
            entry=writing.entry(entry), balance=entry.posting.balance_after
        )

    async def ReturnPoints(
        self, request: pb.ReturnPointsRequest, context: Context
    ) -> pb.ReturnPointsResponse:
        """See `usecases.paying.return_points`."""
        entry = await paying.return_points(
            self._deps,
            Return(
                chain_id=reading.chain_id(request.chain_id),
                reward_id=reading.reward_id(request.reward_id),
                salon_id=reading.salon_id(request.salon_id),
                actor=reading.actor(request.actor),
            ),
        )
        return pb.ReturnPointsResponse(
            entry=writing.entry(entry), balance=entry.posting.balance_after
        )

    # -- accounts --------------------------------------------------------------------------

    async def OpenAccount(
        self, request: pb.OpenAccountRequest, context: Context
    ) -> pb.OpenAccountResponse:
        """See `usecases.accounts.open_account`."""
        account = await accounts.open_account(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            member_id=reading.member_id(request.member_id),
            program_id=reading.program_id(request.program_id),
        )
        return pb.OpenAccountResponse(account=writing.account(account))

    async def GetAccount(
        self, request: pb.GetAccountRequest, context: Context
    ) -> pb.GetAccountResponse:
        """See `usecases.accounts.get_account`."""
        account = await accounts.get_account(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            account_id=reading.account_id(request.account_id),
        )
        return pb.GetAccountResponse(account=writing.account(account))

    async def SearchAccounts(
        self, request: pb.SearchAccountsRequest, context: Context
    ) -> pb.SearchAccountsResponse:
        """See `usecases.accounts.search_accounts`."""
        chain_id = reading.chain_id(request.chain_id)
        program_id = reading.program_id(request.program_id)
        if request.program_id == reading.MAIN:
            main = await programs.get_program(self._deps, chain_id=chain_id, program_id=None)
            program_id = main.id
        page = await accounts.search_accounts(
            self._deps,
            chain_id=chain_id,
            member_ids=reading.filter_ids(request.member_ids, MemberId),
            program_id=program_id,
            limit=request.limit,
            cursor=request.cursor,
        )
        return pb.SearchAccountsResponse(
            accounts=[writing.account(found) for found in page.accounts], cursor=page.cursor
        )

    async def ListEntries(
        self, request: pb.ListEntriesRequest, context: Context
    ) -> pb.ListEntriesResponse:
        """See `usecases.history.list_entries`."""
        page = await history.list_entries(
            self._deps,
            _entry_query(request),
            account_ids=reading.filter_ids(request.account_ids, AccountId),
            member_ids=reading.filter_ids(request.member_ids, MemberId),
        )
        return pb.ListEntriesResponse(
            entries=[writing.entry(found) for found in page.entries], more=page.more
        )


def _salon_ids(texts: Any) -> tuple[SalonId, ...]:
    found = (reading.salon_id(text) for text in texts)
    return tuple(dict.fromkeys(salon_id for salon_id in found if salon_id is not None))


def _entry_query(request: pb.ListEntriesRequest) -> EntryQuery:
    salons = reading.filter_ids(request.salon_ids, SalonId)
    before = None
    if request.HasField("before_time"):
        before = (
            reading.moment(request.before_time, field="before_time"),
            reading.posting_id(request.before_id, field="before_id"),
        )
    earliest = getattr(request, "from")
    return EntryQuery(
        chain_id=reading.chain_id(request.chain_id),
        kinds=reading.kinds(request.kinds),
        salon_ids=None if salons is None else tuple(salons),
        from_time=reading.moment(earliest, field="from") if request.HasField("from") else None,
        to_time=reading.moment(request.to, field="to") if request.HasField("to") else None,
        before=before,
        limit=request.limit,
    )
