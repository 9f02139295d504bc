"""What a chain chose for its messages, and when a message has to wait (SQ-09, SQ-67, D20)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.errors import NumberOutOfRange, QuietHoursInvalid

POINTS_MAX = 10_000
CAP_MAX = 1_000_000
# More than this, and a message that came by day would still wait in the next night.
QUIET_MAX: Final = timedelta(hours=16)
QUIET_FROM: Final = time(21, 0)
QUIET_UNTIL: Final = time(8, 0)


class ReceiptMode(StrEnum):
    """After which sale or visit a receipt goes out (D20)."""

    ALWAYS = "ALWAYS"
    FIRST_ONLY = "FIRST_ONLY"
    NEVER = "NEVER"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From and until, by the recipient's clock; over midnight where `until` is the earlier."""

    start: time
    until: time

    def end(self, now: datetime, *, zone: ZoneInfo) -> datetime | None:
        """When the quiet that reigns now ends; None when it is loud."""
        local = now.astimezone(zone)
        clock = local.timetz().replace(tzinfo=None)
        over_midnight = self.until <= self.start
        if over_midnight:
            quiet = clock >= self.start or clock < self.until
        else:
            quiet = self.start <= clock < self.until
        if not quiet:
            return None
        later = over_midnight and clock >= self.start
        day = local.date() + timedelta(days=1 if later else 0)
        end = datetime.combine(day, self.until, tzinfo=zone).astimezone(UTC)
        if end > now:
            return end
        # Clocks went back, and this time comes twice: quiet ends when it comes again.
        return datetime.combine(day, self.until.replace(fold=1), tzinfo=zone).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSettings:
    """The choices of one chain."""

    chain_id: ChainId
    receipts: ReceiptMode = ReceiptMode.ALWAYS
    expiry_warnings: bool = True
    tier_changes: bool = True
    # 0: e-mail addresses are not collected.
    collect_email_points: int = 0
    quiet: QuietHours | None = None
    # SMS of a day, segments counted; 0: no limit of its own.
    daily_sms_cap: int = 0
    version: int = 0


def given(chain_id: ChainId, chain: Chain | None) -> MessageSettings:
    """What holds before an owner chooses: quiet nights for people, none in a sandbox.

    Nobody sleeps beside a sandbox's phones, and whoever builds against one does so at night too.
    """
    if chain is not None and chain.sandbox:
        return MessageSettings(chain_id=chain_id)
    quiet = QuietHours(start=QUIET_FROM, until=QUIET_UNTIL)
    return MessageSettings(chain_id=chain_id, quiet=quiet)


def checked(settings: MessageSettings) -> MessageSettings:
    """The settings, if they are possible ones.

    Refuses with NumberOutOfRange and QuietHoursInvalid.
    """
    for field, number, maximum in (
        ("collect_email_points", settings.collect_email_points, POINTS_MAX),
        ("daily_sms_cap", settings.daily_sms_cap, CAP_MAX),
    ):
        if not 0 <= number <= maximum:
            raise NumberOutOfRange(field=field, params={"minimum": "0", "maximum": str(maximum)})
    if settings.quiet is not None and not _possible(settings.quiet):
        raise QuietHoursInvalid(params={"hours_max": str(QUIET_MAX // timedelta(hours=1))})
    return settings


def _possible(quiet: QuietHours) -> bool:
    start = timedelta(hours=quiet.start.hour, minutes=quiet.start.minute)
    until = timedelta(hours=quiet.until.hour, minutes=quiet.until.minute)
    lasts = (until - start) % timedelta(days=1)
    return timedelta() < lasts <= QUIET_MAX


def quiet_hours(start: str, until: str) -> QuietHours | None:
    """Quiet hours as an owner writes them, "21:00" and "08:00"; both empty: none.

    Refuses with QuietHoursInvalid.
    """
    if not start and not until:
        return None
    return QuietHours(start=_clock(start, "quiet_from"), until=_clock(until, "quiet_until"))


def _clock(text: str, field: str) -> time:
    hours, colon, minutes = text.partition(":")
    fits = len(hours) == len(minutes) == 2 and colon and (hours + minutes).isascii()
    if not fits or not (hours + minutes).isdigit() or int(hours) > 23 or int(minutes) > 59:
        raise QuietHoursInvalid(
            field=field, params={"hours_max": str(QUIET_MAX // timedelta(hours=1))}
        )
    return time(int(hours), int(minutes))


def next_day(now: datetime, *, zone: ZoneInfo) -> datetime:
    """When the chain's next day begins: then its cap is fresh."""
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), tzinfo=zone).astimezone(UTC)
