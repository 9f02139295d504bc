"""Many earns in one transaction, each with its own key, answer and refusal (house.md 6).

One path for one or for 256: claim the keys, lock the accounts, run the pure rules, write once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.chassis import idempotency, outbox
from services.chassis.errors import InvariantViolated, KeyReused, RateLimited
from services.chassis.idempotency import New, Replay, Reused, Twin
from services.chassis.postgres import Connection
from services.points import events
from services.points.domain import earning, expiry, grants, ledger, programs
from services.points.domain.earning import Earn, Scan, TypedCode, Worth
from services.points.domain.errors import AccountUnknown, EarnTokenInvalid, Refusal
from services.points.domain.grants import AuditLine, Grant, MultiPointWay
from services.points.domain.ids import (
    ChainId,
    GrantId,
    LotId,
    PostingId,
    member_account_id,
)
from services.points.domain.ledger import Account, Entry, Fact, Movement
from services.points.domain.lots import POLICY_NEVER
from services.points.domain.programs import Program
from services.points.storage import accounts as account_rows
from services.points.storage import grants as grant_rows
from services.points.storage import ledger as ledger_rows
from services.points.storage import programs as program_rows
from services.points.storage.accounts import Opening
from services.points.storage.programs import ChainView
from services.points.usecases import overdue, standings
from services.points.usecases.deps import Deps
from services.points.usecases.earn_codes import TypedCodes
from services.points.usecases.earn_items import (
    AccountName,
    Arrival,
    Candidate,
    Earned,
    Outcome,
    packed,
    unpacked,
)
from services.points.usecases.standings import Climber


async def earn_batch(deps: Deps, conn: Connection, arrivals: Sequence[Arrival]) -> list[Outcome]:
    """Count a batch of earns in the caller's transaction; outcomes in the batch's order.

    Locks, in this order: new keys, accounts that are opened, accounts, grants, counters of wrong
    codes; each kind in order of id. Repeatable: every key gets its first answer again. A refused
    earn leaves no key and does not touch its neighbours.
    """
    return await _Batch(deps, conn, arrivals).run()


class _Batch:
    """The steps of one batch, in the order in which `run` takes them."""

    def __init__(self, deps: Deps, conn: Connection, arrivals: Sequence[Arrival]) -> None:
        self.deps = deps
        self.conn = conn
        self.arrivals = arrivals
        self.claims = [arrival.claim for arrival in arrivals]
        self.outcomes: dict[int, Outcome] = {}
        # The entry of an earn, and whether it had counted before.
        self.earned: dict[int, tuple[Entry, bool]] = {}
        self.views: dict[ChainId, ChainView] = {}
        self.accounts: dict[AccountName, Account] = {}
        self.opened: list[Opening] = []
        # The last that was posted here to an account.
        self.last: dict[AccountName, PostingId] = {}
        self.climbers: dict[AccountName, Climber] = {}
        self.movements: list[Movement] = []
        self.consumed: list[tuple[ChainId, GrantId, PostingId]] = []
        self.audit: list[AuditLine] = []
        self.codes = TypedCodes(deps, conn)
        self.visits: dict[AccountName, list[Entry]] = {}
        self.grants: dict[tuple[ChainId, GrantId], Grant] = {}
        self.by_grant: dict[tuple[ChainId, str], Entry] = {}
        self._now: dict[ChainId, datetime] = {}
        self.real_now = deps.clock.real_now()

    async def run(self) -> list[Outcome]:
        """Claim, look up, check, lock, decide, write, answer."""
        results = await idempotency.claim_many(self.conn, self.claims)
        fresh = [place for place, result in enumerate(results) if isinstance(result, New)]
        if fresh:
            candidates = await self._candidates(fresh)
            candidates = await self._lock(self._checked(candidates))
            await self._look_up(candidates)
            await self._settle()
            for candidate in candidates:
                self._decide(candidate)
            await self._write(fresh)
        await self._answer_known(results)
        return [self.outcomes[place] for place in range(len(self.arrivals))]

    def now(self, chain_id: ChainId) -> datetime:
        """Business time of a chain, the same for the whole batch."""
        moment = self._now.get(chain_id)
        if moment is None:
            moment = self._now[chain_id] = self.deps.clock.now(chain_id)
        return moment

    def _view(self, chain_id: ChainId) -> ChainView:
        return self.views.get(chain_id, program_rows.NOTHING_KNOWN)

    def refuse(self, place: int, why: Exception) -> None:
        """Say no to one earn; its neighbours go on."""
        self.outcomes[place] = Outcome(result=why, right_codes=self.codes.right_of(place))

    async def _candidates(self, fresh: Sequence[int]) -> list[Candidate]:
        """Read programs, salons and locked codes of the earns at hand; find each one's account."""
        earns = [self.arrivals[place].earn for place in fresh]
        salon_ids = {
            earn.origin.salon_id if isinstance(earn.origin, Scan) else earn.salon_id
            for earn in earns
        }
        self.views = await program_rows.chain_views(
            self.conn,
            chain_ids=list({earn.chain_id for earn in earns}),
            salon_ids=[salon_id for salon_id in salon_ids if salon_id is not None],
        )
        candidates = []
        for place, earn in zip(fresh, earns, strict=True):
            try:
                candidates.append(self._candidate(place, earn))
            except Refusal as refusal:
                self.refuse(place, refusal)
        await self.codes.look_up(candidates)
        return candidates

    def _candidate(self, place: int, earn: Earn) -> Candidate:
        if earn.member_id is None:
            if earn.account_id is None:
                raise AccountUnknown
            return Candidate(place=place, earn=earn, account_id=earn.account_id, member_id=None)
        program_id = earn.program_id
        if program_id is None and isinstance(earn.origin, Scan):
            program_id = earn.origin.program_id
        program = programs.named(self._view(earn.chain_id).programs, program_id)
        account_id = member_account_id(member_id=earn.member_id, program_id=program.id)
        if earn.account_id not in (None, account_id):
            raise AccountUnknown
        return Candidate(
            place=place,
            earn=earn,
            account_id=account_id,
            member_id=earn.member_id,
            program=program,
        )

    def _checked(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Run the rules that need no account on every candidate whose program is known."""
        passed = []
        for candidate in candidates:
            try:
                self._check(candidate)
            except (Refusal, RateLimited) as refusal:
                self.refuse(candidate.place, refusal)
            else:
                passed.append(candidate)
        return passed

    def _check(self, candidate: Candidate) -> None:
        program, earn = candidate.program, candidate.earn
        if program is None:
            return
        if isinstance(earn.origin, Scan) and earn.origin.program_id != program.id:
            raise EarnTokenInvalid
        standing = self._view(earn.chain_id).standing(candidate.salon_id)
        programs.require_serving(program, standing)
        candidate.worth = earning.worth(earn, program=program, now=self.now(earn.chain_id))
        if isinstance(earn.origin, TypedCode):
            self.codes.check(
                candidate,
                program=program,
                origin=earn.origin,
                sealed=self._view(program.chain_id).codes[program.id],
                barred=self.arrivals[candidate.place].barred,
            )

    async def _lock(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Open what is not there yet and lock every account; bare accounts show their program."""
        openings = {
            candidate.name: Opening(
                chain_id=candidate.earn.chain_id,
                id=candidate.account_id,
                member_id=candidate.member_id,
                program_id=candidate.program.id,
                opened_at=self.now(candidate.earn.chain_id),
            )
            for candidate in candidates
            if candidate.member_id is not None and candidate.program is not None
        }
        opened = await account_rows.open_accounts(self.conn, list(openings.values()))
        self.opened = [opening for opening in openings.values() if opening.id in opened]
        self.accounts = await account_rows.lock_accounts(
            self.conn, [candidate.name for candidate in candidates]
        )
        ready, bare = [], []
        for candidate in candidates:
            if candidate.program is not None:
                ready.append(candidate)
                continue
            try:
                self._find_program(candidate)
            except Refusal as refusal:
                self.refuse(candidate.place, refusal)
            else:
                bare.append(candidate)
        ready.extend(self._checked(bare))
        return sorted(ready, key=lambda candidate: candidate.place)

    def _find_program(self, candidate: Candidate) -> None:
        account = self.accounts.get(candidate.name)
        if account is None or candidate.earn.program_id not in (None, account.program_id):
            raise AccountUnknown
        named = self._view(account.chain_id).programs
        candidate.program = programs.named(named, account.program_id)
        candidate.member_id = account.member_id

    async def _look_up(self, candidates: Sequence[Candidate]) -> None:
        """Read what the rules need beyond the accounts: close visits, and grants."""
        asked = []
        for candidate in candidates:
            program, worth = _settled(candidate)
            if worth.cools_down:
                span = timedelta(seconds=program.cool_down_seconds)
                asked.append((*candidate.name, worth.occurred_at - span, worth.occurred_at + span))
        for entry in await ledger_rows.visits_between(self.conn, asked):
            name = (entry.posting.chain_id, entry.posting.account_id)
            self.visits.setdefault(name, []).append(entry)
        wanted = [
            (candidate.earn.chain_id, candidate.grant_id)
            for candidate in candidates
            if candidate.grant_id is not None
        ]
        self.grants = await grant_rows.grants(self.conn, wanted)
        used = [
            (grant.chain_id, ledger.grant_key(grant.id))
            for grant in self.grants.values()
            if grant.used
        ]
        self.by_grant = await ledger_rows.entries_by_business_key(self.conn, used)

    async def _settle(self) -> None:
        """Post what is overdue of the accounts at hand before anything else moves (D8)."""
        settled = await overdue.settle(self.deps, self.conn, self.accounts.values())
        for name, each in settled.items():
            self.accounts[name] = each.account
            self.movements.extend(each.movements)
            if each.movements:
                self.last[name] = each.movements[-1].posting.id

    def _decide(self, candidate: Candidate) -> None:
        """Count one earn, answer it with an earlier entry, or refuse it."""
        try:
            earlier = self._earlier(candidate)
            entry = self._count(candidate) if earlier is None else earlier
        except Refusal as refusal:
            self.refuse(candidate.place, refusal)
        else:
            self.earned[candidate.place] = (entry, earlier is not None)

    def _earlier(self, candidate: Candidate) -> Entry | None:
        """The entry that this earn is one with: of the same grant, or of the same visit (N11)."""
        if candidate.grant_id is not None:
            grant = self._grant(candidate)
            found = self.by_grant.get((grant.chain_id, ledger.grant_key(grant.id)))
            if found is None:
                grants.require_open(grant, now=self.real_now)
            return found
        program, worth = _settled(candidate)
        if not worth.cools_down:
            return None
        for entry in self.visits.get(candidate.name, ()):
            if earning.same_visit(
                first=entry.posting.occurred_at,
                second=worth.occurred_at,
                cool_down_seconds=program.cool_down_seconds,
            ):
                return entry
        return None

    def _grant(self, candidate: Candidate) -> Grant:
        account = self.accounts[candidate.name]
        found = None
        if candidate.grant_id is not None:
            found = self.grants.get((candidate.earn.chain_id, candidate.grant_id))
        return grants.require_bound(
            found,
            member_id=account.member_id,
            program_id=account.program_id,
            session_id=candidate.earn.session_id,
        )

    def _count(self, candidate: Candidate) -> Entry:
        """Move the points, and take note of what else follows from it."""
        earn = candidate.earn
        program, worth = _settled(candidate)
        grant = self._grant(candidate) if candidate.grant_id is not None else None
        points = grant.points if grant else worth.points
        if points is None:
            raise InvariantViolated("an earn of no number of points")
        business_key = ledger.grant_key(grant.id) if grant else None
        movement = ledger.earn(
            self.accounts[candidate.name],
            points=points,
            source=worth.source,
            fact=Fact(
                posting_id=self._posting_id(candidate),
                lot_id=LotId(self.deps.new_id()),
                occurred_at=worth.occurred_at,
                salon_id=candidate.salon_id,
                actor=earn.actor,
                business_key=business_key,
                policy=program.expiry_policy,
                expires_at=self._end(candidate),
            ),
        )
        self.movements.append(movement)
        self.last[candidate.name] = movement.posting.id
        entry = movement.entry
        self.accounts[candidate.name] = movement.after
        self._climb(candidate, movement)
        if worth.source in ledger.VISIT_SOURCES:
            self.visits.setdefault(candidate.name, []).append(entry)
        if grant is not None and business_key is not None:
            self.by_grant[(grant.chain_id, business_key)] = entry
            self.consumed.append((grant.chain_id, grant.id, movement.posting.id))
        elif isinstance(earn.origin, TypedCode) and points > 1:
            self.audit.append(_audit_line(earn, movement))
        return entry

    def _posting_id(self, candidate: Candidate) -> PostingId:
        """The id that its claim names; a later one where a later one was posted before it here.

        Ids follow the sequence: what is recorded together is listed by them.
        """
        posting_id = self.arrivals[candidate.place].posting_id
        last = self.last.get(candidate.name)
        if last is not None and last > posting_id:
            return PostingId(self.deps.new_id())
        return posting_id

    def _end(self, candidate: Candidate) -> datetime | None:
        """When the points of an earn end: by the salon's calendar, else the chain's (D8, X2)."""
        program, worth = _settled(candidate)
        if program.expiry_policy == POLICY_NEVER:
            return None
        zone = self._view(program.chain_id).zone(candidate.salon_id)
        return expiry.expires_at(worth.occurred_at, policy=program.expiry_policy, zone=zone)

    def _climb(self, candidate: Candidate, movement: Movement) -> None:
        """Take note that an earn counts for a tier, as of now at the earliest (D14)."""
        program, worth = _settled(candidate)
        if program.ladder is None:
            return
        known = self.climbers.get(candidate.name)
        earliest = known.at if known else self.now(program.chain_id)
        self.climbers[candidate.name] = Climber(
            account=movement.after,
            ladder=program.ladder,
            at=max(earliest, worth.occurred_at),
        )

    async def _write(self, fresh: Sequence[int]) -> None:
        """Everything that the batch changes, one statement for each kind of row."""
        opened = [
            events.account_opened(
                chain_id=opening.chain_id,
                account_id=opening.id,
                member_id=opening.member_id,
                program_id=opening.program_id,
                opened_at=opening.opened_at,
            )
            for opening in self.opened
        ]
        posted = [events.points_posted(movement.entry) for movement in self.movements]
        recorded = await ledger_rows.write(self.conn, self.movements, told=opened + posted)
        risen = await standings.after_earns(self.conn, list(self.climbers.values()))
        await outbox.append(self.conn, risen)
        await grant_rows.consume(self.conn, self.consumed, now=self.real_now)
        await grant_rows.audit(self.conn, self.audit)
        await self.codes.record()
        self._conclude(recorded)
        answers, refused = [], []
        for place in fresh:
            claim = self.claims[place]
            if place in self.earned:
                entry, counted_before = self.earned[place]
                answer = packed(entry.posting.id, already_counted=counted_before)
                if answer != claim.answer:
                    answers.append((claim, answer))
            else:
                refused.append(claim)
        await idempotency.store_answers(self.conn, answers)
        await idempotency.release(self.conn, refused)

    def _conclude(self, recorded: Mapping[PostingId, datetime]) -> None:
        """What the earns are told; of entries that this batch wrote, when they were recorded."""
        for place, (entry, counted_before) in self.earned.items():
            at = recorded.get(entry.posting.id)
            told = entry if at is None else entry.recorded(at)
            self.outcomes[place] = Outcome(
                result=Earned(entry=told, already_counted=counted_before),
                right_codes=self.codes.right_of(place),
            )

    async def _answer_known(self, results: Sequence[idempotency.ClaimResult]) -> None:
        """Resends get their first answer, twins what their first got."""
        replays: dict[int, tuple[PostingId, bool]] = {}
        for place, result in enumerate(results):
            match result:
                case Replay(answer=answer):
                    replays[place] = unpacked(answer)
                case Reused():
                    self.outcomes[place] = Outcome(result=KeyReused())
                case Twin(first=first):
                    self.outcomes[place] = self._twin(first)
                case New():
                    pass
        entries = await ledger_rows.entries_by_id(
            self.conn,
            [(self.claims[place].chain_id, pair[0]) for place, pair in replays.items()],
        )
        for place, (posting_id, already_counted) in replays.items():
            self.outcomes[place] = Outcome(
                result=Earned(
                    entry=entries[posting_id], already_counted=already_counted, replayed=True
                )
            )

    def _twin(self, first: int) -> Outcome:
        result = self.outcomes[first].result
        if isinstance(result, Earned):
            result = replace(result, replayed=True)
        return Outcome(result=result)


def _settled(candidate: Candidate) -> tuple[Program, Worth]:
    if candidate.program is None or candidate.worth is None:
        raise InvariantViolated("an earn was decided before it was checked")
    return candidate.program, candidate.worth


def _audit_line(earn: Earn, movement: Movement) -> AuditLine:
    return AuditLine(
        chain_id=earn.chain_id,
        program_id=movement.after.program_id,
        member_id=movement.after.member_id,
        session_id=earn.session_id,
        way=MultiPointWay.TYPED_CODE,
        points=movement.posting.points,
        subject_id=movement.posting.id,
    )
