"""Our words and the contracts' numbers for the same things."""

from __future__ import annotations

from loyalty.types.v1 import types_pb2

from services.enrollment.domain.chains import Language, Plan
from services.enrollment.domain.members import Channel, Source

PLANS = {
    Plan.PARTANT: types_pb2.PLAN_PARTANT,
    Plan.ESSENTIEL: types_pb2.PLAN_ESSENTIEL,
    Plan.PRO: types_pb2.PLAN_PRO,
}
LANGUAGES = {
    Language.FR: types_pb2.LANGUAGE_FR,
    Language.EN: types_pb2.LANGUAGE_EN,
}
CHANNELS = {
    Channel.SMS: types_pb2.CHANNEL_SMS,
    Channel.EMAIL: types_pb2.CHANNEL_EMAIL,
}
SOURCES = {
    Source.JOIN_QR: types_pb2.ENROLLMENT_SOURCE_JOIN_QR,
    Source.SMS: types_pb2.ENROLLMENT_SOURCE_SMS,
    Source.WEB: types_pb2.ENROLLMENT_SOURCE_WEB,
    Source.EMAIL: types_pb2.ENROLLMENT_SOURCE_EMAIL,
    Source.SOCIAL: types_pb2.ENROLLMENT_SOURCE_SOCIAL,
    Source.TYPED: types_pb2.ENROLLMENT_SOURCE_TYPED,
    Source.TABLET: types_pb2.ENROLLMENT_SOURCE_TABLET,
    Source.TILL: types_pb2.ENROLLMENT_SOURCE_TILL,
    Source.RECEIPT: types_pb2.ENROLLMENT_SOURCE_RECEIPT,
    Source.PANEL: types_pb2.ENROLLMENT_SOURCE_PANEL,
    Source.IMPORT: types_pb2.ENROLLMENT_SOURCE_IMPORT,
    Source.STATUS_PAGE: types_pb2.ENROLLMENT_SOURCE_STATUS_PAGE,
    Source.EARN_QR: types_pb2.ENROLLMENT_SOURCE_EARN_QR,
}
