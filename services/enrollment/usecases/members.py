"""Members: enrolled by any door, found, and changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis import outbox
from services.chassis.errors import Unavailable
from services.chassis.postgres import Connection, in_transaction
from services.chassis.signing import new_token, token_digest
from services.enrollment import addresses, events, metrics
from services.enrollment.domain import members as rules
from services.enrollment.domain.chains import Chain, Language
from services.enrollment.domain.credentials import MEMBER_SESSION_LIFETIME, TokenKind
from services.enrollment.domain.errors import (
    EmailInvalid,
    MemberExists,
    NotFound,
    PhoneInvalid,
    QueryInvalid,
)
from services.enrollment.domain.ids import Actor, ChainId, MemberId, SalonId, SessionId
from services.enrollment.domain.members import Changes, FirstGrant, Member, Source
from services.enrollment.domain.search import keys_of
from services.enrollment.domain.text import read_line, read_name, read_note
from services.enrollment.storage import audit, member_sessions
from services.enrollment.storage import chains as chain_storage
from services.enrollment.storage import members as storage
from services.enrollment.usecases.deps import Deps, Request, once, reading

# How often an enrolment looks again when the one who had her phone gave it up meanwhile.
LOOKS_MAX = 3
# Names of members in one question.
FIND_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrollMember:
    """A person who joins, as typed; no language stands for the chain's, no day for now."""

    request: Request
    chain_id: ChainId
    phone: str
    email: str
    given_name: str
    family_name: str
    birthday: str
    language: Language | None
    source: Source
    salon_id: SalonId | None
    consents: tuple[FirstGrant, ...]
    actor: Actor
    enrolled_at: datetime | None
    start_session: bool
    note: str
    reference_id: str
    refuse_existing: bool
    # Where the link that she came by was texted to, in E.164; empty where it was not texted.
    proven_phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A member, whether she is new, and the session that a new one may have on her phone."""

    member: Member
    created: bool
    session_token: str = ""
    session_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMember:
    """What to change about a member, as typed; None leaves a field as it is."""

    chain_id: ChainId
    member_id: MemberId
    given_name: str | None
    family_name: str | None
    birthday: str | None
    language: Language | None
    phone: str | None
    email: str | None
    note: str | None
    reference_id: str | None
    actor: Actor


async def enroll_member(
    deps: Deps, command: EnrollMember, *, answer: Callable[[Enrolled], bytes]
) -> bytes:
    """Make a member, or answer the living one who has this phone or else this e-mail address.

    Somebody who is known is not changed in any way, gets no session and grants no consent here:
    whoever typed her number has not shown to be her (D34). Repeatable by the idempotency key and
    by the address; of enrolments that meet, one makes the member and the others find her. Consent
    counts for a channel whose address was given (D36).

    Refuses with NotFound (chain, salon), AddressRequired, PhoneInvalid, EmailInvalid, NameInvalid,
    BirthdayInvalid, ConsentInvalid, EnrolledAtInvalid, TextInvalid, and, when asked, MemberExists.
    """
    outcomes: list[Enrolled] = []

    async def work(conn: Connection) -> bytes:
        async def make() -> bytes:
            chain = await chain_storage.get_chain(conn, command.chain_id)
            if chain is None:
                raise NotFound(field="chain_id")
            if command.salon_id is not None and not await chain_storage.has_salons(
                conn, chain_id=chain.id, salon_ids=[command.salon_id]
            ):
                raise NotFound(field="salon_id")
            enrolled = await _enroll(deps, conn, chain, command)
            outcomes[:] = [enrolled]
            return answer(enrolled)

        return await once(
            deps,
            conn,
            chain_id=command.chain_id,
            operation="enroll_member",
            request=command.request,
            work=make,
        )

    written = await in_transaction(deps.pool, work)
    for enrolled in outcomes:
        metrics.MEMBERS_ENROLLED_TOTAL.labels(
            command.source.value, "created" if enrolled.created else "known"
        ).inc()
    return written


async def _enroll(deps: Deps, conn: Connection, chain: Chain, command: EnrollMember) -> Enrolled:
    now = deps.clock.now(chain.id)
    member = _new_member(chain, command, now=now)
    grants = rules.counted_grants(command.consents, phone=member.phone, email=member.email)
    email_key = addresses.email_key(member.email)
    for _ in range(LOOKS_MAX):
        if await storage.insert_member(conn, member, keys_of(member), email_key=email_key):
            break
        known = await storage.find_by_address(
            conn, chain_id=chain.id, phone=member.phone, email_key=email_key
        )
        if known is not None and command.refuse_existing:
            by_phone = bool(member.phone) and known.phone == member.phone
            raise MemberExists(field="phone" if by_phone or not email_key else "email")
        if known is not None:
            return Enrolled(member=known, created=False)
    else:
        raise Unavailable("the address of a new member changed hands while she enrolled")
    await outbox.append(
        conn,
        [
            events.member_enrolled(member, now=now),
            events.contact_changed(member, now=now, enrolled_now=True, first_grants=grants),
        ],
    )
    if not command.start_session:
        return Enrolled(member=member, created=True)
    # Who proved the phone while she joined, by the link texted to it, needs no code as well.
    token, expires_at = await start_session(deps, conn, member, verified=member.phone_verified)
    return Enrolled(member=member, created=True, session_token=token, session_expires_at=expires_at)


def _new_member(chain: Chain, command: EnrollMember, *, now: datetime) -> Member:
    """The member that a request describes, every field read."""
    region = addresses.region_of(chain.home_time_zone)
    phone = addresses.read_phone(command.phone, region=region, field="phone")
    email = addresses.read_email(command.email, field="email")
    return Member(
        id=MemberId(uuid4()),
        chain_id=chain.id,
        given_name=read_name(command.given_name, field="given_name"),
        family_name=read_name(command.family_name, field="family_name"),
        phone=phone,
        email=email,
        birthday=rules.read_birthday(
            command.birthday, field="birthday", now=now, time_zone=chain.home_time_zone
        ),
        language=command.language or chain.language,
        source=command.source,
        registered_by=rules.registered_by(phone=phone, email=email),
        phone_verified=bool(phone) and phone == command.proven_phone,
        email_verified=False,
        note=read_note(command.note, field="note"),
        salon_id=command.salon_id,
        enrolled_at=rules.read_enrolled_at(command.enrolled_at, now=now),
        created_at=now,
        updated_at=now,
        version=1,
        reference_id=_read_reference(command.reference_id),
    )


def _read_reference(text: str) -> str:
    return read_line(text, field="reference_id", length_max=rules.REFERENCE_ID_LENGTH_MAX)


async def start_session(
    deps: Deps, conn: Connection, member: Member, *, verified: bool
) -> tuple[str, datetime]:
    """Begin a session on her own phone; its token and when it ends unless she comes again.

    Runs in the transaction that has made or locked the member.
    """
    now = deps.clock.real_now()
    token = new_token(TokenKind.MEMBER.value)
    expires_at = now + MEMBER_SESSION_LIFETIME
    await member_sessions.insert_session(
        conn,
        session_id=SessionId(uuid4()),
        chain_id=member.chain_id,
        member_id=member.id,
        token_digest=token_digest(token),
        verified=verified,
        now=now,
        expires_at=expires_at,
    )
    return token, expires_at


async def get_member(deps: Deps, *, chain_id: ChainId, member_id: MemberId) -> Member:
    """A member by her id; a merged one is answered by the living one. Refuses with NotFound."""
    async with reading(deps) as conn:
        member = await storage.get_member(conn, chain_id=chain_id, member_id=member_id)
    if member is None:
        raise NotFound(field="member_id")
    return member


async def find_members(
    deps: Deps,
    *,
    chain_id: ChainId,
    phones: tuple[str, ...],
    emails: tuple[str, ...],
    member_ids: tuple[MemberId, ...],
) -> list[Member]:
    """Those members who have one of these phones, e-mail addresses or ids, oldest first.

    What is no phone and no address is nobody's. Refuses with NotFound, QueryInvalid.
    """
    if len(phones) + len(emails) + len(member_ids) > FIND_MAX:
        raise QueryInvalid(params={"max": str(FIND_MAX)})
    async with reading(deps) as conn:
        if not phones and not emails:
            # What tills ask all day: who was merged or is unknown is looked for below.
            known = await storage.list_by_id(conn, chain_id=chain_id, member_ids=member_ids)
            if known and len(known) == len(set(member_ids)):
                return known
        chain = await chain_storage.get_chain(conn, chain_id)
        if chain is None:
            raise NotFound(field="chain_id")
        region = addresses.region_of(chain.home_time_zone)
        return await storage.find_members(
            conn,
            chain_id=chain_id,
            phones=[read for text in phones if (read := _phone_or_none(text, region=region))],
            email_keys=[read for text in emails if (read := _email_key_or_none(text))],
            member_ids=member_ids,
        )


def _phone_or_none(text: str, *, region: str) -> str | None:
    try:
        return addresses.read_phone(text, region=region, field="phones") or None
    except PhoneInvalid:
        return None


def _email_key_or_none(text: str) -> str | None:
    try:
        return addresses.email_key(addresses.read_email(text, field="emails")) or None
    except EmailInvalid:
        return None


async def update_member(deps: Deps, command: UpdateMember) -> Member:
    """Change what is known of a member (SQ-11). Repeatable. Locks the member.

    A new phone or e-mail address is not verified, and it is the one that finds her from now on.

    Refuses with NotFound, MemberExists (another member's phone or e-mail), AddressRequired,
    PhoneInvalid, EmailInvalid, NameInvalid, BirthdayInvalid, TextInvalid.
    """
    now = deps.clock.now(command.chain_id)

    async def work(conn: Connection) -> Member:
        chain = await chain_storage.get_chain(conn, command.chain_id)
        if chain is None:
            raise NotFound(field="chain_id")
        changes = _read_changes(chain, command, now=now)
        before = await storage.lock_member(conn, chain_id=chain.id, member_id=command.member_id)
        if before is None:
            raise NotFound(field="member_id")
        member = rules.changed_member(before, changes, now=now)
        if member == before:
            return before
        await storage.save_member(
            conn, member, keys_of(member), email_key=addresses.email_key(member.email)
        )
        await outbox.append(conn, [events.contact_changed(member, now=now)])
        await note_address_changes(conn, before=before, after=member, actor=command.actor)
        return member

    return await in_transaction(deps.pool, work)


def _read_changes(chain: Chain, command: UpdateMember, *, now: datetime) -> Changes:
    """What is to be changed, every field read."""
    region = addresses.region_of(chain.home_time_zone)

    def read(text: str | None, reader: Callable[[str], str]) -> str | None:
        return None if text is None else reader(text)

    return Changes(
        given_name=read(command.given_name, lambda text: read_name(text, field="given_name")),
        family_name=read(command.family_name, lambda text: read_name(text, field="family_name")),
        phone=read(
            command.phone,
            lambda text: addresses.read_phone(text, region=region, field="phone"),
        ),
        email=read(command.email, lambda text: addresses.read_email(text, field="email")),
        birthday=read(
            command.birthday,
            lambda text: rules.read_birthday(
                text, field="birthday", now=now, time_zone=chain.home_time_zone
            ),
        ),
        language=command.language,
        note=read(command.note, lambda text: read_note(text, field="note")),
        reference_id=read(command.reference_id, _read_reference),
    )


async def note_address_changes(
    conn: Connection, *, before: Member, after: Member, actor: Actor
) -> None:
    """Write down that an address was changed, and by whom; not which one it was."""
    for action, differs in (
        ("member.phone_changed", before.phone != after.phone),
        ("member.email_changed", before.email != after.email),
    ):
        if differs:
            await audit.note(
                conn,
                chain_id=after.chain_id,
                actor=actor,
                action=action,
                subject_id=after.id,
            )
