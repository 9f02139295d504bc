"""Salons of a chain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from services.chassis import outbox
from services.chassis.postgres import Connection, in_transaction
from services.enrollment import addresses, events
from services.enrollment.domain import chains as rules
from services.enrollment.domain.chains import SALONS_MAX, Salon
from services.enrollment.domain.errors import LimitReached, NotFound
from services.enrollment.domain.ids import Actor, ChainId, SalonId
from services.enrollment.domain.text import read_name
from services.enrollment.storage import audit
from services.enrollment.storage import chains as storage
from services.enrollment.usecases.deps import Deps, Request, once, reading


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSalon:
    """A salon to be made; an empty time zone stands for the chain's home zone (D38)."""

    request: Request
    chain_id: ChainId
    name: str
    time_zone: str
    address: str
    phone: str
    actor: Actor


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSalon:
    """What to change about a salon; None leaves a field as it is."""

    chain_id: ChainId
    salon_id: SalonId
    name: str | None
    time_zone: str | None
    address: str | None
    phone: str | None
    active: bool | None
    actor: Actor


async def create_salon(
    deps: Deps, command: CreateSalon, *, answer: Callable[[Salon], bytes]
) -> bytes:
    """Open a salon. Repeatable by its idempotency key. Locks the chain.

    Refuses with NotFound, NameInvalid, TimeZoneInvalid, TextInvalid, LimitReached.
    """
    now = deps.clock.now(command.chain_id)
    name = read_name(command.name, field="name", required=True)
    zone = (
        addresses.read_time_zone(command.time_zone, field="time_zone") if command.time_zone else ""
    )

    async def work(conn: Connection) -> bytes:
        async def make() -> bytes:
            chain = await storage.lock_chain(conn, command.chain_id)
            if chain is None:
                raise NotFound(field="chain_id")
            if await storage.count_salons(conn, chain.id) >= SALONS_MAX:
                raise LimitReached(params={"max": str(SALONS_MAX)})
            salon = Salon(
                id=SalonId(uuid4()),
                chain_id=chain.id,
                name=name,
                time_zone=zone or chain.home_time_zone,
                address=rules.read_salon_address(command.address),
                phone=rules.read_salon_phone(command.phone),
                active=True,
                created_at=now,
                version=1,
            )
            await storage.insert_salon(conn, salon)
            await outbox.append(conn, [events.salon_changed(salon, now=now)])
            await audit.note(
                conn,
                chain_id=chain.id,
                actor=command.actor,
                action="salon.created",
                subject_id=salon.id,
            )
            return answer(salon)

        return await once(
            deps,
            conn,
            chain_id=command.chain_id,
            operation="create_salon",
            request=command.request,
            work=make,
        )

    return await in_transaction(deps.pool, work)


async def update_salon(deps: Deps, command: UpdateSalon) -> Salon:
    """Change a salon. Repeatable. Locks the chain, which keeps the salons' events in order.

    Refuses with NotFound, NameInvalid, TimeZoneInvalid, TextInvalid.
    """
    now = deps.clock.now(command.chain_id)
    zone = (
        addresses.read_time_zone(command.time_zone, field="time_zone")
        if command.time_zone
        else command.time_zone
    )

    async def work(conn: Connection) -> Salon:
        chain = await storage.lock_chain(conn, command.chain_id)
        if chain is None:
            raise NotFound(field="chain_id")
        before = await storage.get_salon(conn, chain_id=chain.id, salon_id=command.salon_id)
        if before is None:
            raise NotFound(field="salon_id")
        salon = rules.changed_salon(
            before,
            name=command.name,
            time_zone=chain.home_time_zone if zone == "" else zone,
            address=command.address,
            phone=command.phone,
            active=command.active,
        )
        if salon == before:
            return before
        await storage.save_salon(conn, salon)
        await outbox.append(conn, [events.salon_changed(salon, now=now)])
        await audit.note(
            conn,
            chain_id=chain.id,
            actor=command.actor,
            action="salon.updated",
            subject_id=salon.id,
        )
        return salon

    return await in_transaction(deps.pool, work)


async def list_salons(deps: Deps, chain_id: ChainId) -> list[Salon]:
    """The salons of a chain, oldest first. Refuses with NotFound."""
    async with reading(deps) as conn:
        if await storage.get_chain(conn, chain_id) is None:
            raise NotFound(field="chain_id")
        return await storage.list_salons(conn, chain_id, count_max=SALONS_MAX)
