"""The double-entry ledger: every posting moves points between two accounts, so all sum to zero.

A posting touches one member's account; the other end is one of the program's own. It is never
changed: what went wrong is undone by a posting that names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from services.points.domain import lots
from services.points.domain.errors import BalanceBelowZero, BalanceTooLarge, InsufficientPoints
from services.points.domain.ids import (
    AccountId,
    ChainId,
    ChangeId,
    GrantId,
    LotId,
    MemberId,
    PostingId,
    ProgramId,
    PromotionId,
    RewardId,
    SaleId,
    SalonId,
    Side,
    side_account_id,
)
from services.points.domain.lots import POLICY_NEVER, Lot, LotMoves
from services.points.domain.values import dataclass

# What the columns hold. A sum beyond it is refused, never wrapped.
BALANCE_MAX = 2**63 - 1
# What one entry may move by a till.
ENTRY_POINTS_MAX = 2**31 - 1


class PostingKind(StrEnum):
    """Why points moved."""

    EARN = "earn"
    PROMOTION = "promotion"
    ADJUSTMENT = "adjustment"
    REWARD = "reward"
    REWARD_RETURN = "reward_return"
    REFUND = "refund"
    EXPIRY = "expiry"


# What adds up to the points that a member ever earned.
EARNED_KINDS = (PostingKind.EARN, PostingKind.PROMOTION)


class EarnSource(StrEnum):
    """By which door an earn came."""

    SCAN = "SCAN"
    MULTI_POINT_SCAN = "MULTI_POINT_SCAN"
    MANUAL_CODE = "MANUAL_CODE"
    TABLET = "TABLET"
    TILL = "TILL"


# Where a person stood in the salon. One of these close after another is one visit (D12, N11).
VISIT_SOURCES = (
    EarnSource.SCAN,
    EarnSource.MULTI_POINT_SCAN,
    EarnSource.MANUAL_CODE,
    EarnSource.TABLET,
)


class AdjustmentReason(StrEnum):
    """Why points were adjusted by hand (D17)."""

    SALON = "SALON"
    PHONE_FORGOTTEN = "PHONE_FORGOTTEN"
    ERROR = "ERROR"
    GOODWILL = "GOODWILL"
    SOCIAL = "SOCIAL"
    OTHER = "OTHER"
    # "Liste de diffusion": given by itself for an e-mail address (SQ-08), never by hand.
    MAILING_LIST = "MAILING_LIST"


class ActorKind(StrEnum):
    """What kind of hand did it."""

    NONE = ""
    MEMBER = "MEMBER"
    STAFF = "STAFF"
    DEVICE = "DEVICE"
    API_KEY = "API_KEY"
    OPERATOR = "OPERATOR"
    SYSTEM = "SYSTEM"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it, by id; never a name."""

    kind: ActorKind = ActorKind.NONE
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A member's points in one program. Below zero is a debt, paid by what is earned later (D3)."""

    chain_id: ChainId
    id: AccountId
    member_id: MemberId
    program_id: ProgramId
    balance: int
    lifetime_points: int
    sequence: int
    opened_at: datetime
    updated_at: datetime
    # No lot of it ends before this; None: none ends. It may lie too early, never too late.
    expiry_due: datetime | None = None

    @property
    def debt(self) -> int:
        """Points that the account owes."""
        return max(0, -self.balance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One movement of points from `source` to `destination`, one of which is the member's."""

    chain_id: ChainId
    id: PostingId
    account_id: AccountId
    source: AccountId
    destination: AccountId
    points: int
    kind: PostingKind
    sequence: int
    balance_after: int
    earn_source: EarnSource | None = None
    reason: AdjustmentReason | None = None
    note: str = ""
    salon_id: SalonId | None = None
    actor: Actor = Actor()
    reward_id: RewardId | None = None
    sale_id: SaleId | None = None
    reverses: PostingId | None = None
    business_key: str | None = None
    # Of points: what the tier added to the base (SQ-05).
    tier_bonus: int = 0
    promotion_id: PromotionId | None = None
    change_id: ChangeId | None = None
    occurred_at: datetime

    @property
    def signed_points(self) -> int:
        """What the member's account gained or lost."""
        return self.points if self.destination == self.account_id else -self.points


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A posting as its member sees it: with whose it is."""

    posting: Posting
    member_id: MemberId
    program_id: ProgramId
    # When the database took it down, on the chain's clock; None while it has not.
    recorded_at: datetime | None = None

    def recorded(self, at: datetime) -> Entry:
        """The entry as the database took it down."""
        return Entry(
            posting=self.posting,
            member_id=self.member_id,
            program_id=self.program_id,
            recorded_at=at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is to be written down: which ids it gets, when and where it was, and by whom."""

    posting_id: PostingId
    lot_id: LotId
    occurred_at: datetime
    salon_id: SalonId | None = None
    actor: Actor = Actor()
    sale_id: SaleId | None = None
    business_key: str | None = None
    change_id: ChangeId | None = None
    # The policy of points that come in, and where it ends them (N8).
    policy: str = POLICY_NEVER
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One posting with what it makes of its account and of the lots."""

    posting: Posting
    before: Account
    after: Account
    lots: LotMoves

    @property
    def entry(self) -> Entry:
        """The posting with its member and program."""
        return Entry(
            posting=self.posting,
            member_id=self.after.member_id,
            program_id=self.after.program_id,
        )


def reward_debit_key(reward_id: RewardId) -> str:
    """The business fact "this reward was paid for": it happens once."""
    return f"reward:{reward_id}"


def reward_return_key(reward_id: RewardId) -> str:
    """The business fact "this reward's points came back": it happens once."""
    return f"return:{reward_id}"


def grant_key(grant_id: GrantId) -> str:
    """The business fact "this multi-point grant was used": it happens once (LS-25)."""
    return f"grant:{grant_id}"


def sale_key(sale_id: SaleId) -> str:
    """The business fact "this sale earned": it happens once, whatever the request key (N2)."""
    return f"sale:{sale_id}"


def promotion_key(sale_id: SaleId) -> str:
    """The business fact "this sale earned by a promotion": it happens once."""
    return f"sale:{sale_id}:promotion"


def contact_key(member_id: MemberId) -> str:
    """The business fact "this member gave her e-mail address": it happens once (SQ-09)."""
    return f"contact:{member_id}"


def expiry_key(lot_id: LotId) -> str:
    """The business fact "this lot expired": it happens once (X14)."""
    return f"expiry:{lot_id}"


def earn(
    account: Account, *, points: int, source: EarnSource, fact: Fact, tier_bonus: int = 0
) -> Movement:
    """Points come in from the program. Refuses with BalanceTooLarge.

    What of them is no tier's bonus is base and counts for progress (D14); of what an exchange
    adds, its change says how much. A debt is paid out of
    them first (example X13); the rest is a lot of its own.
    """
    posting = _posting(
        account,
        Side.ISSUED,
        points=points,
        kind=PostingKind.EARN,
        fact=fact,
        earn_source=source,
        tier_bonus=tier_bonus,
    )
    lot = _fresh_lot(account, points=points, fact=fact)
    return _moved(account, posting, lots.receive(lot, debt=account.debt))


def promote(account: Account, *, points: int, promotion_id: PromotionId, fact: Fact) -> Movement:
    """What a promotion adds to a sale comes in; it counts for no tier. As `earn` otherwise."""
    posting = _posting(
        account,
        Side.ISSUED,
        points=points,
        kind=PostingKind.PROMOTION,
        fact=fact,
        promotion_id=promotion_id,
    )
    lot = _fresh_lot(account, points=points, fact=fact)
    return _moved(account, posting, lots.receive(lot, debt=account.debt))


def adjust(
    account: Account,
    *,
    points: int,
    reason: AdjustmentReason,
    note: str,
    allow_negative_balance: bool,
    open_lots: Sequence[Lot],
    fact: Fact,
) -> Movement:
    """Points are put right by hand, up or down (LS-72, LS-73). Not zero.

    Refuses with BalanceTooLarge, or with BalanceBelowZero unless that is allowed (D3).
    """
    posting = _posting(
        account,
        Side.ADJUSTED,
        points=points,
        kind=PostingKind.ADJUSTMENT,
        fact=fact,
        reason=reason,
        note=note,
    )
    if points > 0:
        lot = _fresh_lot(account, points=points, fact=fact)
        return _moved(account, posting, lots.receive(lot, debt=account.debt))
    if posting.balance_after < 0 and not allow_negative_balance:
        raise BalanceBelowZero(balance=account.balance, points=points)
    moves = lots.spend(open_lots, posting_id=posting.id, points=-points)
    return _moved(account, posting, moves)


def debit(
    account: Account, *, points: int, reward_id: RewardId, open_lots: Sequence[Lot], fact: Fact
) -> Movement:
    """Points leave for a reward that is taken (LS-33). Refuses with InsufficientPoints."""
    if account.balance < points:
        raise InsufficientPoints(available_points=max(0, account.balance), requested_points=points)
    posting = _posting(
        account,
        Side.REDEEMED,
        points=-points,
        kind=PostingKind.REWARD,
        fact=fact,
        reward_id=reward_id,
    )
    moves = lots.spend(open_lots, posting_id=posting.id, points=points)
    return _moved(account, posting, moves)


def give_back(
    account: Account, *, undone: Posting, used: Sequence[tuple[Lot, int]], fact: Fact
) -> Movement:
    """A reward's points come back: the posting names the debit that it undoes (D35).

    Refuses with BalanceTooLarge. Points go back into the very lots that they came from.
    """
    posting = _posting(
        account,
        Side.REDEEMED,
        points=undone.points,
        kind=PostingKind.REWARD_RETURN,
        fact=fact,
        reward_id=undone.reward_id,
        reverses=undone.id,
    )
    fresh = _fresh_lot(account, points=undone.points, fact=fact)
    moves = lots.give_back(used, fresh=fresh, debt=account.debt, now=fact.occurred_at)
    refilled = [lot for lot, _ in used if not lots.has_expired(lot, now=fact.occurred_at)]
    return _moved(account, posting, moves, refilled=refilled)


def take_back(
    account: Account,
    *,
    points: int,
    reverses: PostingId | None,
    own_lots: Sequence[Lot],
    open_lots: Sequence[Lot],
    fact: Fact,
) -> Movement:
    """A sale's points leave again: its own lots first, then others, then debt (D3, D37).

    Not zero; how many is for `refunds` to say. The balance may fall below zero.
    """
    posting = _posting(
        account,
        Side.ISSUED,
        points=-points,
        kind=PostingKind.REFUND,
        fact=fact,
        reverses=reverses,
    )
    own = {lot.id for lot in own_lots}
    first = lots.spend(own_lots, posting_id=posting.id, points=points)
    others = [lot for lot in open_lots if lot.id not in own]
    left = points - sum(use.points for use in first.uses)
    then = lots.spend(others, posting_id=posting.id, points=left)
    return _moved(account, posting, LotMoves(uses=first.uses + then.uses))


def expire(account: Account, *, lot: Lot, fact: Fact) -> Movement:
    """What is left of a lot ends, at the instant that was promised (SQ-66, example X1)."""
    posting = _posting(
        account, Side.EXPIRED, points=-lot.remaining, kind=PostingKind.EXPIRY, fact=fact
    )
    moves = lots.spend([lot], posting_id=posting.id, points=lot.remaining)
    return _moved(account, posting, moves)


def _posting(
    account: Account,
    side: Side,
    *,
    points: int,
    kind: PostingKind,
    fact: Fact,
    earn_source: EarnSource | None = None,
    tier_bonus: int = 0,
    reason: AdjustmentReason | None = None,
    note: str = "",
    reward_id: RewardId | None = None,
    promotion_id: PromotionId | None = None,
    reverses: PostingId | None = None,
) -> Posting:
    """Signed `points` between the account and one of its program's own accounts."""
    balance = account.balance + points
    if not -BALANCE_MAX <= balance <= BALANCE_MAX:
        raise BalanceTooLarge(balance=account.balance, maximum=BALANCE_MAX)
    other = side_account_id(account.program_id, side)
    return Posting(
        chain_id=account.chain_id,
        id=fact.posting_id,
        account_id=account.id,
        source=other if points > 0 else account.id,
        destination=account.id if points > 0 else other,
        points=abs(points),
        kind=kind,
        sequence=account.sequence + 1,
        balance_after=balance,
        earn_source=earn_source,
        reason=reason,
        note=note,
        salon_id=fact.salon_id,
        actor=fact.actor,
        reward_id=reward_id,
        sale_id=fact.sale_id,
        reverses=reverses,
        business_key=fact.business_key,
        tier_bonus=tier_bonus,
        promotion_id=promotion_id,
        change_id=fact.change_id,
        occurred_at=fact.occurred_at,
    )


def _fresh_lot(account: Account, *, points: int, fact: Fact) -> Lot:
    return Lot(
        chain_id=account.chain_id,
        id=fact.lot_id,
        account_id=account.id,
        posting_id=fact.posting_id,
        points=points,
        remaining=points,
        expires_at=fact.expires_at,
        policy=fact.policy,
        salon_id=fact.salon_id,
        earned_at=fact.occurred_at,
    )


def _moved(
    account: Account, posting: Posting, moves: LotMoves, *, refilled: Sequence[Lot] = ()
) -> Movement:
    lifetime = account.lifetime_points
    if posting.kind in EARNED_KINDS:
        lifetime += posting.points
    if lifetime > BALANCE_MAX:
        raise BalanceTooLarge(balance=account.balance, maximum=BALANCE_MAX)
    after = Account(
        chain_id=account.chain_id,
        id=account.id,
        member_id=account.member_id,
        program_id=account.program_id,
        balance=posting.balance_after,
        lifetime_points=lifetime,
        sequence=posting.sequence,
        opened_at=account.opened_at,
        updated_at=max(account.updated_at, posting.occurred_at),
        expiry_due=_sooner(
            account.expiry_due, [*(lot for lot in moves.opened if lot.remaining > 0), *refilled]
        ),
    )
    return Movement(posting=posting, before=account, after=after, lots=moves)


def _sooner(due: datetime | None, filled: Sequence[Lot]) -> datetime | None:
    """The earliest end of what an account holds, with the lots that points came into."""
    ends = [lot.expires_at for lot in filled if lot.expires_at is not None]
    return min([*ends, *([due] if due else [])], default=None)
