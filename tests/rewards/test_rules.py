"""The rules of rewards by themselves: no database, no clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.rewards import answers
from services.rewards.answers import Answer
from services.rewards.domain import errors
from services.rewards.domain.discounts import AmountOff, Discount, InKind, PercentOff
from services.rewards.domain.ids import (
    AccountId,
    ChainId,
    DefinitionId,
    MemberId,
    OfferId,
    ProgramId,
    RewardId,
    SalonId,
)
from services.rewards.domain.offers import OfferTerms, coupon_expires_at, is_running
from services.rewards.domain.rewards import (
    DISPLAY_WINDOW,
    Reward,
    RewardEventKind,
    RewardState,
    points_moved,
    why_not_restorable,
    why_not_usable,
)
from services.rewards.domain.settlements import retry_seconds
from services.rewards.domain.text import checked_text

NOW = datetime(2026, 12, 14, 19, 0, tzinfo=UTC)
ALICE = MemberId(uuid4())
CHARLIE = MemberId(uuid4())


def reward(state: RewardState = RewardState.ISSUED, **changes: object) -> Reward:
    """Alice's reward."""
    made = Reward(
        id=RewardId(uuid4()),
        chain_id=ChainId(uuid4()),
        member_id=ALICE,
        account_id=AccountId(uuid4()),
        program_id=ProgramId(uuid4()),
        definition_id=DefinitionId(uuid4()),
        offer_id=None,
        name="Soin offert",
        description="",
        exclusion="",
        points=10,
        discount=InKind(),
        state=state,
        created_at=NOW,
        updated_at=NOW,
        redeemed_at=None,
        display_until=None,
        used_by_session="",
        redeemed_salon_id=None,
        expires_at=None,
        voided_at=None,
        points_returned=False,
        sale_id=None,
        version=1,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def used(at: datetime = NOW) -> Reward:
    """A reward used at a moment."""
    return reward(
        RewardState.REDEEMED,
        redeemed_at=at,
        display_until=at + DISPLAY_WINDOW,
        redeemed_salon_id=SalonId(uuid4()),
    )


def offer(**changes: object) -> OfferTerms:
    """An offer from 10 to 31 December (OF1)."""
    made = OfferTerms(
        id=OfferId(uuid4()),
        chain_id=ChainId(uuid4()),
        title="Masque",
        description="",
        exclusion="",
        start_date=date(2026, 12, 10),
        end_date=date(2026, 12, 31),
        coupon_expiry_date=None,
        shown_in_app=True,
        deleted=False,
        version=1,
        home_zone="America/Toronto",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("elapsed", "left"),
    [(0, 300), (0.001, 300), (119.5, 181), (120, 180), (299.2, 1), (300, 0), (301, 0), (9e6, 0)],
)
def test_the_countdown_shows_whole_seconds_and_the_last_running_one_is_one(
    elapsed: float, left: int
) -> None:
    """LS-36, RW3, RW4: five minutes from the use, whoever looks and whenever."""
    assert used().display_seconds_left(NOW + timedelta(seconds=elapsed)) == left


def test_an_unused_reward_has_no_countdown() -> None:
    assert reward().display_seconds_left(NOW) == 0


@pytest.mark.parametrize(
    ("state", "refusal"),
    [
        (RewardState.PENDING, errors.RewardPending),
        (RewardState.VOIDING, errors.RewardVoided),
        (RewardState.VOIDED, errors.RewardVoided),
        (RewardState.EXPIRED, errors.RewardExpired),
    ],
)
def test_only_an_issued_reward_can_be_used(
    state: RewardState, refusal: type[errors.Refusal]
) -> None:
    """SQ-16: voided cannot be used, and so for every other state."""
    assert isinstance(why_not_usable(reward(state), member_id=ALICE, now=NOW), refusal)
    assert why_not_usable(reward(), member_id=ALICE, now=NOW) is None


def test_a_loser_is_told_when_and_where_the_reward_was_used() -> None:
    """LS-38."""
    gone = used()
    refusal = why_not_usable(gone, member_id=ALICE, now=NOW)
    assert isinstance(refusal, errors.AlreadyUsed)
    assert refusal.params == {
        "redeemed_at": NOW.isoformat(),
        "salon_id": str(gone.redeemed_salon_id),
    }


def test_another_members_reward_looks_as_if_there_were_none() -> None:
    """LS-38: Charlie gets the same answer for Alice's reward as for no reward."""
    for state in RewardState:
        theirs = why_not_usable(reward(state), member_id=CHARLIE, now=NOW)
        nobodys = why_not_usable(None, member_id=CHARLIE, now=NOW)
        assert isinstance(theirs, errors.NotFound)
        assert isinstance(nobodys, errors.NotFound)
        assert (theirs.field, theirs.params) == (nobodys.field, nobodys.params)


def test_only_a_used_reward_can_be_restored() -> None:
    """LS-75: a second press is refused."""
    assert why_not_restorable(used(), now=NOW) is None
    for state in set(RewardState) - {RewardState.REDEEMED}:
        assert isinstance(why_not_restorable(reward(state), now=NOW), errors.NotRedeemed)


def test_points_move_at_the_take_and_when_a_void_returns_them() -> None:
    """LS-33, LS-75, D35."""
    assert points_moved(reward(), RewardEventKind.TAKEN) == -10
    assert points_moved(used(), RewardEventKind.USED) == 0
    assert points_moved(reward(), RewardEventKind.RESTORED) == 0
    assert points_moved(reward(RewardState.VOIDED), RewardEventKind.VOIDED) == 0
    returned = reward(RewardState.VOIDED, points_returned=True)
    assert points_moved(returned, RewardEventKind.VOIDED) == 10


@pytest.mark.parametrize(
    ("local", "running"),
    [
        ("2026-12-09T23:59:59-05:00", False),
        ("2026-12-10T00:00:00-05:00", True),
        ("2026-12-31T23:59:59-05:00", True),
        ("2027-01-01T00:00:00-05:00", False),
    ],
)
def test_an_offer_may_be_taken_on_its_days_in_the_home_zone(local: str, running: bool) -> None:
    """OF1, D7, D38: the last day is inclusive."""
    assert is_running(offer(), now=datetime.fromisoformat(local)) is running


def test_a_deleted_offer_may_not_be_taken_and_a_hidden_one_may() -> None:
    """LS-57, LS-58."""
    assert not is_running(offer(deleted=True), now=NOW)
    assert is_running(offer(shown_in_app=False), now=NOW)


def test_a_coupon_that_would_be_dead_at_birth_is_not_given_out() -> None:
    """LS-54."""
    assert not is_running(offer(coupon_expiry_date=date(2026, 12, 13)), now=NOW)
    assert is_running(offer(coupon_expiry_date=date(2026, 12, 14)), now=NOW)


@pytest.mark.parametrize(
    ("zone", "last_day", "end"),
    [
        ("America/Toronto", date(2027, 1, 15), "2027-01-16T05:00:00+00:00"),
        ("America/Toronto", date(2027, 7, 15), "2027-07-16T04:00:00+00:00"),
        # Clocks jump over midnight: the first instant of that day is one o'clock.
        ("America/Havana", date(2027, 3, 13), "2027-03-14T05:00:00+00:00"),
        ("Pacific/Auckland", date(2027, 1, 15), "2027-01-15T11:00:00+00:00"),
    ],
)
def test_a_coupon_ends_at_the_local_midnight_after_its_last_day(
    zone: str, last_day: date, end: str
) -> None:
    """OF2, LS-54."""
    terms = offer(home_zone=zone, coupon_expiry_date=last_day)
    assert coupon_expires_at(terms) == datetime.fromisoformat(end)


def test_a_coupon_without_a_date_never_expires() -> None:
    """LS-54."""
    assert coupon_expires_at(offer()) is None
    assert coupon_expires_at(offer(coupon_expiry_date=date.max)) is None


def test_a_coupon_past_its_end_has_expired_before_any_job_says_so() -> None:
    """LS-54: the sweeping job may be late."""
    coupon = reward(expires_at=NOW)
    assert coupon.state_at(NOW - timedelta(microseconds=1)) is RewardState.ISSUED
    assert coupon.state_at(NOW) is RewardState.EXPIRED
    assert isinstance(why_not_usable(coupon, member_id=ALICE, now=NOW), errors.RewardExpired)


@pytest.mark.parametrize(
    ("given_text", "shown"),
    [
        ("10", "10"),
        ("12.5", "12.5"),
        ("12.50", "12.5"),
        ("0.01", "0.01"),
        ("100", "100"),
        ("100.00", "100"),
        ("007", "7"),
    ],
)
def test_a_percentage_keeps_its_value_and_loses_needless_zeros(given_text: str, shown: str) -> None:
    parsed = PercentOff.parse(given_text)
    assert parsed.percentage == Decimal(given_text)
    assert parsed.text == shown


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "0.00",
        "0.009",
        "100.01",
        "-5",
        "1e1",
        "10%",
        " 10",
        "NaN",
        "Infinity",
        "1,5",
        "١٠",
        "10.",
        ".5",
        "1" * 100,
        "10\n",
    ],
)
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidValue):
        PercentOff.parse(text)


@pytest.mark.parametrize(
    ("minor", "currency"), [(0, "CAD"), (-1, "CAD"), (10**10, "CAD"), (100, "cad"), (100, "")]
)
def test_an_amount_is_positive_and_in_a_currency(minor: int, currency: str) -> None:
    with pytest.raises(errors.InvalidValue):
        AmountOff.parse(minor=minor, currency=currency)


@pytest.mark.parametrize("words", ["", "  ", "a" * 121, "a\x00b", "a\x1bb", "\x7f"])
def test_names_are_present_short_and_clean(words: str) -> None:
    with pytest.raises(errors.InvalidValue):
        checked_text(words, field="name", length_max=120, required=True)


def test_names_may_be_in_any_script() -> None:
    words = "  Soin offert 💆‍♀️ à l'été  "
    checked = checked_text(words, field="name", length_max=120, required=True)
    assert checked == "Soin offert 💆‍♀️ à l'été"


def test_pauses_between_attempts_grow_and_stay_below_a_minute() -> None:
    assert [retry_seconds(n) for n in (1, 2, 3, 6, 1000)] == [2, 4, 8, 60, 60]


discounts: st.SearchStrategy[Discount | None] = st.one_of(
    st.none(),
    st.just(InKind()),
    st.builds(
        PercentOff,
        percentage=st.decimals("0.01", "100", places=2, allow_nan=False),
    ),
    st.builds(AmountOff, minor=st.integers(1, 10**9), currency=st.just("CAD")),
)
moments = st.none() | st.integers(0, 4 * 10**15).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(
    discount=discounts,
    redeemed_at=moments,
    expires_at=moments,
    balance=st.integers(-(10**9), 10**9),
    already=st.booleans(),
    state=st.sampled_from(RewardState),
)
def test_a_kept_answer_comes_back_as_it_went_in(
    discount: Discount | None,
    redeemed_at: datetime | None,
    expires_at: datetime | None,
    balance: int,
    already: bool,
    state: RewardState,
) -> None:
    """The same key gets the first answer again, to the last field."""
    answer = Answer(
        reward=reward(state, discount=discount, redeemed_at=redeemed_at, expires_at=expires_at),
        balance=balance,
        already_taken=already,
    )
    assert answers.decode(answers.encode(answer)) == answer
