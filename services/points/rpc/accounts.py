"""Accounts and their entries over gRPC."""

from __future__ import annotations

from loyalty.points.v1 import points_pb2 as pb

from services.chassis.moments import timestamp
from services.points.domain.history import EntryQuery
from services.points.domain.ids import AccountId, MemberId, SaleId, SalonId
from services.points.rpc import reading, writing
from services.points.rpc.door import Context, Door
from services.points.usecases import accounts, history, ledger_view, programs


class AccountsServicer(Door):
    """Accounts and the ledger as people read it."""

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

    async def GetAccounts(
        self, request: pb.GetAccountsRequest, context: Context
    ) -> pb.GetAccountsResponse:
        """See `usecases.accounts.get_accounts`."""
        found = await accounts.get_accounts(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            account_ids=reading.filter_ids(request.account_ids, AccountId) or [],
        )
        return pb.GetAccountsResponse(accounts=[writing.account(each) for each in found])

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
            entries=[writing.entry(found) for found in page.entries],
            more=page.more,
            horizon=timestamp(page.horizon) if page.horizon else None,
        )

    async def GetLedger(
        self, request: pb.GetLedgerRequest, context: Context
    ) -> pb.GetLedgerResponse:
        """See `usecases.ledger_view.get_ledger`."""
        view = await ledger_view.get_ledger(
            self._deps,
            chain_id=reading.chain_id(request.chain_id),
            account_id=reading.account_id(request.account_id),
            before_sequence=request.before_sequence,
            limit=request.limit,
        )
        return writing.ledger(view)


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
        sale_id=(
            SaleId(reading.required_uuid(request.sale_id, field="sale_id"))
            if request.sale_id
            else None
        ),
        from_time=reading.moment(earliest, field="from") if request.HasField("from") else None,
        to_time=reading.moment(request.to, field="to") if request.HasField("to") else None,
        before=before,
        by_recording=request.by_recording,
        limit=request.limit,
    )
