"""The servicer of messaging: each method reads its request, calls one use case, answers."""

from __future__ import annotations

from services.messaging.rpc.consents import ConsentsServicer
from services.messaging.rpc.inbound import InboundServicer
from services.messaging.rpc.journal import JournalServicer
from services.messaging.rpc.numbers import NumbersServicer
from services.messaging.rpc.preferences import PreferencesServicer
from services.messaging.rpc.program_notices import ProgramNoticesServicer
from services.messaging.rpc.schedules import SchedulesServicer
from services.messaging.rpc.sends import SendsServicer


class MessagingServicer(
    ConsentsServicer,
    InboundServicer,
    JournalServicer,
    PreferencesServicer,
    SchedulesServicer,
    SendsServicer,
    NumbersServicer,
    ProgramNoticesServicer,
):
    """`loyalty.messaging.v1.MessagingService`, put together from its parts."""
