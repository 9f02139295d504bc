"""Chains: made by an operator, changed by their owners (D40)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from services.chassis import outbox
from services.chassis.postgres import Connection, in_transaction
from services.chassis.signing import token_digest
from services.enrollment import addresses, events
from services.enrollment.domain import chains as rules
from services.enrollment.domain.chains import Chain, Language, Logo, Plan, Salon
from services.enrollment.domain.credentials import SCOPES, ApiKey
from services.enrollment.domain.errors import (
    EmailInvalid,
    EmailTaken,
    NotFound,
    PlanInvalid,
    SlugTaken,
)
from services.enrollment.domain.ids import Actor, ActorKind, ChainId, SalonId, StaffId
from services.enrollment.domain.staff import Role, Staff, check_password
from services.enrollment.domain.text import read_name
from services.enrollment.passwords import generated_password
from services.enrollment.storage import audit
from services.enrollment.storage import chains as storage
from services.enrollment.storage import devices as device_storage
from services.enrollment.storage import staff as staff_storage
from services.enrollment.usecases.api_keys import MintedKey, mint_key
from services.enrollment.usecases.deps import Deps, Request, once, reading

# Chains belong to no chain: their idempotency keys live under this id.
PLATFORM = UUID(int=0)
OPERATOR = Actor(kind=ActorKind.OPERATOR, id="")
TIME_ZONE_DEFAULT = "America/Toronto"
CURRENCY_DEFAULT = "CAD"
CHANCE_BYTES = 4
LIST_MAX = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateChain:
    """A chain to be made, as an operator wrote it; empty texts stand for what is usual."""

    request: Request
    name: str
    slug: str
    plan: Plan
    sandbox: bool
    home_time_zone: str
    currency: str
    language: Language
    brand_color: str
    salon_name: str
    salon_address: str
    owner_email: str
    owner_name: str
    owner_password: str
    actor: Actor = OPERATOR


@dataclass(frozen=True, slots=True, kw_only=True)
class NewChain:
    """A chain just made, with the secrets that are shown once."""

    chain: Chain
    salon: Salon
    owner: Staff
    # Empty when the operator chose it.
    owner_password: str
    api_key: ApiKey
    api_key_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What a request asks to be made, checked, before anything is written."""

    chain: Chain
    wanted_slug: str | None
    salon: Salon
    owner: Staff
    generated_password: str
    password_hash: str
    minted: MintedKey


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateChain:
    """What to change about a chain; None leaves a field as it is."""

    chain_id: ChainId
    name: str | None
    brand_color: str | None
    language: Language | None
    logo: Logo | None
    postal_address: str | None
    contact_phone: str | None
    actor: Actor


async def create_chain(
    deps: Deps, command: CreateChain, *, answer: Callable[[NewChain], bytes]
) -> bytes:
    """Make a chain with its first salon, its owner and an API key with all scopes (D40).

    All or nothing. Repeatable: the same idempotency key returns the first answer, its secrets too.
    Locks nothing but what it makes.

    Refuses with:
      - SlugTaken: the web name that was asked for belongs to another chain.
      - EmailTaken: the owner's address belongs to a staff account of any chain.
      - NameInvalid, SlugInvalid, TimeZoneInvalid, CurrencyInvalid, ColorInvalid, EmailInvalid,
        PasswordInvalid, TextInvalid.
    """
    draft = await _draft(deps, command, now=deps.clock.real_now())

    async def work(conn: Connection) -> bytes:
        async def make() -> bytes:
            return answer(await _write(conn, draft, actor=command.actor))

        return await once(
            deps,
            conn,
            chain_id=PLATFORM,
            operation="create_chain",
            request=command.request,
            work=make,
        )

    return await in_transaction(deps.pool, work)


async def _draft(deps: Deps, command: CreateChain, *, now: datetime) -> _Draft:
    """Check everything that can be checked without the database; hash the password."""
    chain = Chain(
        id=ChainId(uuid4()),
        slug="",
        name=read_name(command.name, field="name", required=True),
        plan=command.plan,
        sandbox=command.sandbox,
        home_time_zone=addresses.read_time_zone(
            command.home_time_zone or TIME_ZONE_DEFAULT, field="home_time_zone"
        ),
        currency=addresses.read_currency(command.currency or CURRENCY_DEFAULT, field="currency"),
        language=command.language,
        brand_color=rules.read_color(
            command.brand_color or rules.BRAND_COLOR_DEFAULT, field="brand_color"
        ),
        logo_media_type="",
        logo_digest="",
        postal_address=rules.read_salon_address(command.salon_address)
        or (rules.SANDBOX_POSTAL_ADDRESS if command.sandbox else ""),
        contact_phone="",
        created_at=now,
        version=1,
    )
    salon = Salon(
        id=SalonId(uuid4()),
        chain_id=chain.id,
        name=read_name(command.salon_name or command.name, field="salon_name", required=True),
        time_zone=chain.home_time_zone,
        address=rules.read_salon_address(command.salon_address),
        phone="",
        active=True,
        created_at=now,
        version=1,
    )
    email = addresses.read_email(command.owner_email, field="owner_email")
    if not email:
        raise EmailInvalid(field="owner_email")
    owner = Staff(
        id=StaffId(uuid4()),
        chain_id=chain.id,
        email=email,
        name=read_name(command.owner_name, field="owner_name"),
        role=Role.OWNER,
        active=True,
        language=chain.language,
        created_at=now,
    )
    wanted = rules.read_slug(command.slug, field="slug") if command.slug else None
    generated = "" if command.owner_password else generated_password()
    check_password(command.owner_password or generated, field="owner_password")
    return _Draft(
        chain=chain,
        wanted_slug=wanted,
        salon=salon,
        owner=owner,
        generated_password=generated,
        password_hash=await deps.passwords.hash(command.owner_password or generated),
        minted=mint_key(
            chain_id=chain.id,
            sandbox=chain.sandbox,
            name=chain.name,
            scopes=SCOPES,
            salon_ids=(),
            now=now,
        ),
    )


async def _write(conn: Connection, draft: _Draft, *, actor: Actor) -> NewChain:
    chain = await _insert_with_slug(conn, draft)
    now = chain.created_at
    await storage.insert_salon(conn, draft.salon)
    if not await staff_storage.insert_staff(
        conn,
        draft.owner,
        email_key=addresses.email_key(draft.owner.email),
        password_hash=draft.password_hash,
    ):
        raise EmailTaken(field="owner_email")
    await device_storage.insert_api_key(
        conn, draft.minted.key, token_digest=token_digest(draft.minted.token)
    )
    await outbox.append(
        conn, [events.chain_changed(chain, now=now), events.salon_changed(draft.salon, now=now)]
    )
    await audit.note(
        conn,
        chain_id=chain.id,
        actor=actor,
        action="chain.created",
        subject_id=chain.id,
        detail=chain.plan,
    )
    return NewChain(
        chain=chain,
        salon=draft.salon,
        owner=draft.owner,
        owner_password=draft.generated_password,
        api_key=draft.minted.key,
        api_key_token=draft.minted.token,
    )


async def _insert_with_slug(conn: Connection, draft: _Draft) -> Chain:
    """Write the chain with the web name that was asked for, or the nicest one that is free."""
    if draft.wanted_slug is not None:
        chain = replace(draft.chain, slug=draft.wanted_slug)
        if not await storage.insert_chain(conn, chain):
            raise SlugTaken(field="slug")
        return chain
    for slug in rules.slugs_of(draft.chain.name, chance=secrets.token_hex(CHANCE_BYTES)):
        chain = replace(draft.chain, slug=slug)
        if await storage.insert_chain(conn, chain):
            return chain
    raise SlugTaken(field="name")


async def get_chain(
    deps: Deps, *, chain_id: ChainId | None, slug: str, include_logo: bool
) -> tuple[Chain, bytes]:
    """A chain by its id or, in any case, by its web name; with its logo when asked (LS-45).

    Refuses with NotFound.
    """
    async with reading(deps) as conn:
        if chain_id is not None:
            chain = await storage.get_chain(conn, chain_id)
        elif len(slug) <= rules.SLUG_LENGTH_MAX and slug.isprintable():
            chain = await storage.get_chain_by_slug(conn, slug.lower())
        else:
            chain = None
        if chain is None:
            raise NotFound(field="chain_id" if chain_id else "slug")
        logo = await storage.get_logo(conn, chain.id) if include_logo else b""
        return chain, logo


async def list_chains(deps: Deps, *, after: Chain | None = None) -> list[Chain]:
    """A page of the platform's chains for its operator, oldest first, from behind `after`."""
    async with reading(deps) as conn:
        return await storage.list_chains(
            conn, after=(after.created_at, after.id) if after else None, count_max=LIST_MAX
        )


async def update_chain(deps: Deps, command: UpdateChain) -> Chain:
    """Change a chain's name, look, language or addresses. Repeatable. Locks the chain.

    Its web name stays. Refuses with NotFound, NameInvalid, ColorInvalid, TextInvalid.
    """
    now = deps.clock.now(command.chain_id)
    digest = _logo_digest(command.logo)

    async def work(conn: Connection) -> Chain:
        before = await storage.lock_chain(conn, command.chain_id)
        if before is None:
            raise NotFound(field="chain_id")
        chain = rules.changed_chain(
            before,
            name=command.name,
            brand_color=command.brand_color,
            language=command.language,
            logo=command.logo,
            logo_digest=digest,
            postal_address=command.postal_address,
            contact_phone=command.contact_phone,
        )
        if chain == before:
            return before
        await storage.save_chain(conn, chain)
        if command.logo is not None and chain.logo_digest != before.logo_digest:
            await storage.save_logo(conn, chain.id, command.logo)
        await _tell(conn, chain, actor=command.actor, action="chain.updated", now=now)
        return chain

    return await in_transaction(deps.pool, work)


async def set_plan(deps: Deps, *, chain_id: ChainId, plan: Plan | None, actor: Actor) -> Chain:
    """Set what a chain pays for (D40). Repeatable. Locks the chain.

    Refuses with NotFound, PlanInvalid.
    """
    now = deps.clock.now(chain_id)
    if plan is None:
        raise PlanInvalid(field="plan")

    async def work(conn: Connection) -> Chain:
        before = await storage.lock_chain(conn, chain_id)
        if before is None:
            raise NotFound(field="chain_id")
        if before.plan is plan:
            return before
        chain = replace(before, plan=plan, version=before.version + 1)
        await storage.save_chain(conn, chain)
        await _tell(conn, chain, actor=actor, action="chain.plan_set", now=now, detail=plan)
        return chain

    return await in_transaction(deps.pool, work)


async def _tell(
    conn: Connection,
    chain: Chain,
    *,
    actor: Actor,
    action: str,
    now: datetime,
    detail: str = "",
) -> None:
    """Publish a chain's new state and write down who changed it."""
    await outbox.append(conn, [events.chain_changed(chain, now=now)])
    await audit.note(
        conn,
        chain_id=chain.id,
        actor=actor,
        action=action,
        subject_id=chain.id,
        detail=detail,
    )


def _logo_digest(logo: Logo | None) -> str:
    if logo is None or not logo.image:
        return ""
    return hashlib.sha256(logo.image).hexdigest()[:16]
