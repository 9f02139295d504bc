"""Messages that wait: quiet hours by the recipient's clock, and the chain's day of SMS."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.chassis.postgres import in_transaction
from services.messaging import jobs, phones
from services.messaging.domain import errors
from services.messaging.domain.chain import ChainId
from services.messaging.domain.consent import Channel
from services.messaging.domain.message_settings import QuietHours
from services.messaging.usecases import contacts, preferences
from services.messaging.usecases.preferences import SettingsChange
from tests.messaging.conftest import EMAIL, PHONE, MessagingHarness
from tests.messaging.ledger import Ledger

TORONTO = ZoneInfo("America/Toronto")
UTC_ZONE = ZoneInfo("UTC")
# A number of Vancouver: three hours behind Montréal.
VANCOUVER = "+16045550123"
# One of several zones: the chain's home zone counts.
NO_ONE_ZONE = "+18005550123"


def local(text: str, zone: ZoneInfo = TORONTO) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


async def quiet_chain(messaging: MessagingHarness) -> ChainId:
    chain_id = await messaging.chain()
    await preferences.update_settings(
        messaging.deps,
        SettingsChange(chain_id=chain_id, quiet_from="21:00", quiet_until="08:00"),
    )
    return chain_id


async def sent(messaging: MessagingHarness, chain_id: ChainId) -> list[str]:
    await messaging.drain()
    return [one.kind.value for one in await messaging.mailbox(chain_id)]


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-11-20T20:59", None),
        ("2026-11-20T21:00", "2026-11-21T08:00"),
        ("2026-11-21T07:59", "2026-11-21T08:00"),
        ("2026-11-21T08:00", None),
        # The night in which clocks go forward is as quiet as any other.
        ("2027-03-13T23:00", "2027-03-14T08:00"),
    ],
)
def test_quiet_goes_over_midnight(now: str, end: str | None) -> None:
    found = QuietHours(start=time(21), until=time(8)).end(local(now), zone=TORONTO)
    assert found == (local(end) if end else None)


@pytest.mark.parametrize(
    ("now", "end"),
    [
        # 1 November 2026, 02:00 is 01:00 again at 06:00 UTC.
        ("2026-11-01T05:15", "2026-11-01T05:30"),
        ("2026-11-01T05:45", None),
        ("2026-11-01T06:15", "2026-11-01T06:30"),
        ("2026-11-01T06:30", None),
    ],
)
def test_a_quiet_that_ends_in_the_hour_that_comes_twice_ends_in_the_future(
    now: str, end: str | None
) -> None:
    """A wait that lay in the past would be taken up again at once, for ever."""
    found = QuietHours(start=time(20), until=time(1, 30)).end(local(now, UTC_ZONE), zone=TORONTO)
    assert found == (local(end, UTC_ZONE) if end else None)


async def test_the_morning_of_a_sandbox_is_right_across_a_change_of_clocks(
    messaging: MessagingHarness,
) -> None:
    """8:00 of a business day after the change, told in real time before it."""
    chain_id = await quiet_chain(messaging)
    messaging.clock.set(local("2027-03-05T04:00", UTC_ZONE))
    messaging.deps.clock.put_offset(chain_id, timedelta(days=10))
    await messaging.enroll(chain_id)
    assert await sent(messaging, chain_id) == []
    assert await messaging.next_due_at() == local("2027-03-05T12:00", UTC_ZONE)


def test_quiet_within_a_day() -> None:
    nap = QuietHours(start=time(12), until=time(14))
    assert nap.end(local("2026-11-20T13:00"), zone=TORONTO) == local("2026-11-20T14:00")
    assert nap.end(local("2026-11-20T14:00"), zone=TORONTO) is None


def test_a_phone_lies_in_its_own_zone_if_that_is_one() -> None:
    assert phones.zone_of(PHONE) == TORONTO
    assert phones.zone_of(VANCOUVER) == ZoneInfo("America/Vancouver")
    assert phones.zone_of(NO_ONE_ZONE) is None
    assert phones.zone_of("nonsense") is None


async def test_a_service_message_waits_for_the_morning_and_a_code_does_not(
    messaging: MessagingHarness,
) -> None:
    """D18: quiet hours hold service and marketing, never security; nothing fails by them."""
    chain_id = await quiet_chain(messaging)
    messaging.clock.set(local("2026-11-20T22:00"))
    await messaging.enroll(chain_id)
    await messaging.request_code(chain_id)
    assert await sent(messaging, chain_id) == ["ONE_TIME_CODE"]
    assert ("QUEUED", "quiet_hours") in await messaging.states(chain_id)
    messaging.clock.set(local("2026-11-21T07:59"))
    assert await sent(messaging, chain_id) == ["ONE_TIME_CODE"]
    messaging.clock.set(local("2026-11-21T08:00"))
    assert await sent(messaging, chain_id) == ["WELCOME", "ONE_TIME_CODE"]
    (welcome, _) = await messaging.mailbox(chain_id)
    assert welcome.created_at == local("2026-11-21T08:00")


async def test_the_recipients_zone_counts_and_the_home_zone_for_email(
    messaging: MessagingHarness,
) -> None:
    """D38: 08:30 in Montréal is 05:30 in Vancouver."""
    chain_id = await quiet_chain(messaging)
    messaging.clock.set(local("2026-11-20T08:30"))
    await messaging.enroll(chain_id, phone=VANCOUVER)
    await messaging.enroll(chain_id, phone=NO_ONE_ZONE)
    await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
    await messaging.drain()
    told = {one.recipient for one in await messaging.mailbox(chain_id)}
    assert told == {NO_ONE_ZONE, EMAIL}
    messaging.clock.set(local("2026-11-20T11:00"))
    assert len(await sent(messaging, chain_id)) == 3


async def test_consent_is_asked_when_the_wait_is_over(messaging: MessagingHarness) -> None:
    chain_id = await quiet_chain(messaging)
    messaging.clock.set(local("2026-11-20T22:00"))
    await messaging.enroll(chain_id)
    await messaging.drain()
    await messaging.text("STOP", chain_id=chain_id)
    messaging.clock.set(local("2026-11-21T08:00"))
    assert "WELCOME" not in await sent(messaging, chain_id)
    assert ("BLOCKED", "stopped") in await messaging.states(chain_id)


async def test_nothing_that_waited_leaves_for_a_member_who_was_erased(
    messaging: MessagingHarness,
) -> None:
    """Law 25: a receipt that waits for the morning does not reach a phone that is forgotten."""
    chain_id = await quiet_chain(messaging)
    messaging.clock.set(local("2026-11-20T22:00"))
    contact = await messaging.enroll(chain_id)
    assert await sent(messaging, chain_id) == []
    await in_transaction(
        messaging.pool,
        lambda conn: contacts.forget_contact(conn, chain_id, contact.member_id),
    )
    messaging.clock.set(local("2026-11-21T08:00"))
    assert await sent(messaging, chain_id) == []
    assert await messaging.states(chain_id) == [("BLOCKED", "erased")]


async def test_a_walk_through_time_meets_the_end_of_the_quiet(
    messaging: MessagingHarness,
) -> None:
    """api.md 3: the message leaves on the morning that it waited for, by the chain's clock."""
    chain_id = await quiet_chain(messaging)
    messaging.deps.clock.put_offset(chain_id, local("2027-05-01T23:00") - messaging.clock.now())
    await messaging.enroll(chain_id)
    await messaging.drain()
    assert await messaging.mailbox(chain_id) == []
    source = jobs.due_source(messaging.deps)
    morning = local("2027-05-02T08:00")
    assert await source.next_due(chain_id) == morning
    messaging.deps.clock.put_offset(chain_id, morning - messaging.clock.now())
    assert await source.run_due(chain_id) == 1
    (welcome,) = await messaging.mailbox(chain_id)
    assert welcome.created_at == morning
    assert await source.next_due(chain_id) is None


async def test_a_full_day_makes_texts_wait_for_the_next_one(messaging: MessagingHarness) -> None:
    """Two texts a day: the third welcome leaves tomorrow; a code and e-mail go today."""
    chain_id = await messaging.chain()
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, daily_sms_cap=2)
    )
    for number in range(3):
        await messaging.enroll(chain_id, phone=f"+1514555014{number}")
    await messaging.enroll(chain_id, phone="", email=EMAIL, registered_by=Channel.EMAIL)
    await messaging.request_code(chain_id)
    kinds = await sent(messaging, chain_id)
    assert sorted(kinds) == ["ONE_TIME_CODE", "WELCOME", "WELCOME", "WELCOME"]
    assert ("QUEUED", "daily_cap") in await messaging.states(chain_id)
    view = await preferences.get_settings(messaging.deps, chain_id)
    assert view.sms_today == 3
    messaging.clock.set(local("2026-11-21T00:00"))
    assert len(await sent(messaging, chain_id)) == 5
    assert (await preferences.get_settings(messaging.deps, chain_id)).sms_today == 1


async def test_a_live_chain_is_quiet_at_night_and_a_sandbox_is_not(
    messaging: MessagingHarness,
) -> None:
    live, sandbox = await messaging.chain(sandbox=False), await messaging.chain()
    ours = (await preferences.get_settings(messaging.deps, live)).settings.quiet
    assert ours == QuietHours(start=time(21), until=time(8))
    assert (await preferences.get_settings(messaging.deps, sandbox)).settings.quiet is None


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ({"quiet_from": "25:00"}, errors.QuietHoursInvalid),
        ({"quiet_from": "9:00"}, errors.QuietHoursInvalid),
        ({"quiet_from": "", "quiet_until": "08:00"}, errors.QuietHoursInvalid),
        ({"quiet_from": "08:00", "quiet_until": "08:00"}, errors.QuietHoursInvalid),
        ({"quiet_from": "08:00", "quiet_until": "07:00"}, errors.QuietHoursInvalid),
        ({"quiet_from": "٠٨:٠٠"}, errors.QuietHoursInvalid),
        ({"daily_sms_cap": -1}, errors.NumberOutOfRange),
        ({"collect_email_points": 10_001}, errors.NumberOutOfRange),
    ],
)
async def test_impossible_settings_are_refused_and_change_nothing(
    messaging: MessagingHarness, words: dict[str, str], refusal: type[errors.Refusal]
) -> None:
    chain_id = await messaging.chain(sandbox=False)
    before = await preferences.get_settings(messaging.deps, chain_id)
    change = SettingsChange(chain_id=chain_id, **words)  # type: ignore[arg-type]
    with pytest.raises(refusal):
        await preferences.update_settings(messaging.deps, change)
    assert await preferences.get_settings(messaging.deps, chain_id) == before


async def test_settings_keep_what_was_not_changed(messaging: MessagingHarness) -> None:
    chain_id = await messaging.chain()
    change = SettingsChange(chain_id=chain_id, collect_email_points=5, tier_changes=False)
    saved = await preferences.update_settings(messaging.deps, change)
    again = await preferences.update_settings(messaging.deps, change)
    assert saved == again
    assert (saved.version, saved.collect_email_points, saved.expiry_warnings) == (1, 5, True)
    off = await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, quiet_from="", quiet_until="")
    )
    assert (off.quiet, off.tier_changes) == (None, False)


async def test_a_receipt_that_waits_too_long_is_no_news_any_more(
    messaging: MessagingHarness,
) -> None:
    """A cap that never has room ends a receipt after two days instead of keeping it for ever."""
    chain_id = await messaging.chain()
    contact = await messaging.enroll(chain_id)
    await messaging.drain()
    await preferences.update_settings(
        messaging.deps, SettingsChange(chain_id=chain_id, daily_sms_cap=1)
    )
    ledger = Ledger(messaging=messaging, chain_id=chain_id, member_id=contact.member_id)
    await ledger.earn(1)
    await messaging.drain()
    messaging.clock.advance(timedelta(hours=49))
    await messaging.drain()
    assert (await messaging.states(chain_id))[-1] == ("EXPIRED", "too_late")
