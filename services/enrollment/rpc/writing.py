"""Our words written into answers."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.chassis.moments import timestamp
from services.enrollment.domain.chains import Chain, Salon
from services.enrollment.domain.credentials import ApiKey, Principal, Tablet
from services.enrollment.domain.members import Member
from services.enrollment.domain.staff import Staff
from services.enrollment.rpc.reading import ACTOR_KINDS, ROLES
from services.enrollment.usecases.api_keys import MintedKey
from services.enrollment.usecases.chains import NewChain
from services.enrollment.usecases.members import Enrolled
from services.enrollment.wire import CHANNELS, LANGUAGES, PLANS, SOURCES


def moment_or_none(at: datetime | None) -> Timestamp | None:
    """A moment, if there was one."""
    return None if at is None else timestamp(at)


def chain(it: Chain, *, logo: bytes = b"") -> pb.Chain:
    """A chain; with its logo only when that was asked for."""
    return pb.Chain(
        id=str(it.id),
        slug=it.slug,
        name=it.name,
        plan=PLANS[it.plan],
        sandbox=it.sandbox,
        home_time_zone=it.home_time_zone,
        currency=it.currency,
        language=LANGUAGES[it.language],
        brand_color=it.brand_color,
        logo=logo,
        logo_media_type=it.logo_media_type,
        logo_digest=it.logo_digest,
        created_at=timestamp(it.created_at),
        version=it.version,
        postal_address=it.postal_address,
        contact_phone=it.contact_phone,
    )


def salon(it: Salon) -> pb.Salon:
    """A salon."""
    return pb.Salon(
        id=str(it.id),
        chain_id=str(it.chain_id),
        name=it.name,
        time_zone=it.time_zone,
        address=it.address,
        phone=it.phone,
        active=it.active,
        created_at=timestamp(it.created_at),
        version=it.version,
    )


def staff(it: Staff) -> pb.Staff:
    """A person of the staff."""
    return pb.Staff(
        id=str(it.id),
        chain_id=str(it.chain_id),
        email=it.email,
        name=it.name,
        role=ROLES[it.role],
        active=it.active,
        language=LANGUAGES[it.language],
        created_at=timestamp(it.created_at),
    )


def tablet(it: Tablet) -> pb.Tablet:
    """A tablet with its link."""
    return pb.Tablet(
        id=str(it.id),
        chain_id=str(it.chain_id),
        salon_id=str(it.salon_id),
        program_id=str(it.program_id),
        name=it.name,
        active=it.active,
        link_token=it.link_token,
        created_at=timestamp(it.created_at),
    )


def api_key(it: ApiKey) -> pb.ApiKey:
    """An API key without its token."""
    return pb.ApiKey(
        id=str(it.id),
        chain_id=str(it.chain_id),
        name=it.name,
        hint=it.hint,
        scopes=it.scopes,
        salon_ids=[str(salon_id) for salon_id in it.salon_ids],
        created_at=timestamp(it.created_at),
        last_used_at=moment_or_none(it.last_used_at),
        revoked_at=moment_or_none(it.revoked_at),
    )


def member(it: Member) -> pb.Member:
    """A member."""
    return pb.Member(
        id=str(it.id),
        chain_id=str(it.chain_id),
        given_name=it.given_name,
        family_name=it.family_name,
        phone=it.phone,
        email=it.email,
        birthday=it.birthday,
        language=LANGUAGES[it.language],
        source=SOURCES[it.source],
        registered_by=CHANNELS[it.registered_by],
        phone_verified=it.phone_verified,
        email_verified=it.email_verified,
        note=it.note,
        salon_id=str(it.salon_id or ""),
        enrolled_at=timestamp(it.enrolled_at),
        created_at=timestamp(it.created_at),
        updated_at=timestamp(it.updated_at),
        version=it.version,
        reference_id=it.reference_id,
    )


def principal(it: Principal) -> pb.Principal:
    """Who is calling."""
    return pb.Principal(
        actor=types_pb2.Actor(kind=ACTOR_KINDS[it.actor.kind], id=it.actor.id),
        chain_id=str(it.chain_id),
        session_id=it.session_id,
        verified=it.verified,
        role=ROLES[it.role] if it.role else pb.Staff.ROLE_UNSPECIFIED,
        scopes=it.scopes,
        salon_ids=[str(salon_id) for salon_id in it.salon_ids],
        program_id=str(it.program_id or ""),
        language=LANGUAGES[it.language],
        sandbox=it.sandbox,
        chain_slug=it.chain_slug,
    )


def new_chain(it: NewChain) -> bytes:
    """The answer to CreateChain, as it is kept for resends."""
    return pb.CreateChainResponse(
        chain=chain(it.chain),
        salon=salon(it.salon),
        owner=staff(it.owner),
        owner_password=it.owner_password,
        api_key=api_key(it.api_key),
        api_key_token=it.api_key_token,
    ).SerializeToString()


def new_salon(it: Salon) -> bytes:
    """The answer to CreateSalon, as it is kept for resends."""
    return pb.CreateSalonResponse(salon=salon(it)).SerializeToString()


def new_staff(it: Staff) -> bytes:
    """The answer to CreateStaff, as it is kept for resends."""
    return pb.CreateStaffResponse(staff=staff(it)).SerializeToString()


def new_tablet(it: Tablet) -> bytes:
    """The answer to CreateTablet, as it is kept for resends."""
    return pb.CreateTabletResponse(tablet=tablet(it)).SerializeToString()


def new_api_key(it: MintedKey) -> bytes:
    """The answer to CreateApiKey, as it is kept for resends."""
    return pb.CreateApiKeyResponse(api_key=api_key(it.key), token=it.token).SerializeToString()


def enrolled(it: Enrolled) -> bytes:
    """The answer to EnrollMember, as it is kept for resends."""
    return pb.EnrollMemberResponse(
        member=member(it.member),
        created=it.created,
        session_token=it.session_token,
        session_expires_at=moment_or_none(it.session_expires_at),
    ).SerializeToString()
