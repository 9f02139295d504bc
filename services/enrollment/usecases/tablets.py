"""Tablets: registered devices that speak for one salon and one program (LS-09)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from services.chassis.postgres import Connection, in_transaction
from services.chassis.signing import new_token, token_digest
from services.enrollment.domain.credentials import TABLETS_MAX, Tablet, TokenKind
from services.enrollment.domain.errors import LimitReached, NotFound
from services.enrollment.domain.ids import Actor, ChainId, ProgramId, SalonId, TabletId
from services.enrollment.domain.text import read_name
from services.enrollment.storage import audit
from services.enrollment.storage import chains as chain_storage
from services.enrollment.storage import devices as storage
from services.enrollment.usecases.deps import Deps, Request, announce_revoked, once, reading

# A page of tablets: living and revoked ones.
LIST_MAX = 2 * TABLETS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateTablet:
    """A tablet to be registered; an empty name stands for its salon's name."""

    request: Request
    chain_id: ChainId
    salon_id: SalonId
    program_id: ProgramId
    name: str
    actor: Actor


async def create_tablet(
    deps: Deps, command: CreateTablet, *, answer: Callable[[Tablet], bytes]
) -> bytes:
    """Register a tablet for a salon and a program. Repeatable by its key. Locks the chain.

    Whether the program exists is for points to say. Refuses with NotFound, NameInvalid,
    LimitReached.
    """
    now = deps.clock.real_now()
    name = read_name(command.name, field="name")

    async def work(conn: Connection) -> bytes:
        async def make() -> bytes:
            chain = await chain_storage.lock_chain(conn, command.chain_id)
            if chain is None:
                raise NotFound(field="chain_id")
            salon = await chain_storage.get_salon(
                conn, chain_id=chain.id, salon_id=command.salon_id
            )
            if salon is None:
                raise NotFound(field="salon_id")
            if await storage.count_live_tablets(conn, chain.id) >= TABLETS_MAX:
                raise LimitReached(params={"max": str(TABLETS_MAX)})
            tablet = Tablet(
                id=TabletId(uuid4()),
                chain_id=chain.id,
                salon_id=salon.id,
                program_id=command.program_id,
                name=name or salon.name,
                active=True,
                link_token=new_token(TokenKind.TABLET.value),
                created_at=now,
            )
            await storage.insert_tablet(
                conn,
                tablet,
                token_digest=token_digest(tablet.link_token),
                sealed_token=deps.keys.links.seal(tablet.link_token.encode()),
            )
            await audit.note(
                conn,
                chain_id=chain.id,
                actor=command.actor,
                action="tablet.created",
                subject_id=tablet.id,
            )
            return answer(tablet)

        return await once(
            deps,
            conn,
            chain_id=command.chain_id,
            operation="create_tablet",
            request=command.request,
            work=make,
        )

    return await in_transaction(deps.pool, work)


async def list_tablets(deps: Deps, chain_id: ChainId) -> list[Tablet]:
    """The tablets of a chain with their links, which owners read back (LS-09).

    Refuses with NotFound.
    """
    async with reading(deps) as conn:
        if await chain_storage.get_chain(conn, chain_id) is None:
            raise NotFound(field="chain_id")
        return await storage.list_tablets(
            conn, chain_id, open_token=_opener(deps), count_max=LIST_MAX
        )


async def rotate_tablet(
    deps: Deps, *, chain_id: ChainId, tablet_id: TabletId, actor: Actor
) -> Tablet:
    """Give a living tablet another link; the old one is dead at once. Locks the tablet.

    Refuses with NotFound.
    """
    token = new_token(TokenKind.TABLET.value)

    async def work(conn: Connection) -> tuple[Tablet, bytes]:
        rotated = await storage.rotate_tablet(
            conn,
            chain_id=chain_id,
            tablet_id=tablet_id,
            token_digest=token_digest(token),
            sealed_token=deps.keys.links.seal(token.encode()),
            open_token=_opener(deps),
        )
        if rotated is None:
            raise NotFound(field="tablet_id")
        await audit.note(
            conn,
            chain_id=chain_id,
            actor=actor,
            action="tablet.rotated",
            subject_id=tablet_id,
        )
        return rotated

    tablet, old_digest = await in_transaction(deps.pool, work)
    await announce_revoked(deps, [old_digest])
    return tablet


async def revoke_tablet(
    deps: Deps, *, chain_id: ChainId, tablet_id: TabletId, actor: Actor
) -> None:
    """Switch a tablet off for good. Repeatable. Refuses with NotFound."""
    now = deps.clock.real_now()

    async def work(conn: Connection) -> bytes | None:
        digest = await storage.revoke_tablet(conn, chain_id=chain_id, tablet_id=tablet_id, now=now)
        if digest is not None:
            await audit.note(
                conn,
                chain_id=chain_id,
                actor=actor,
                action="tablet.revoked",
                subject_id=tablet_id,
            )
        elif not await storage.has_tablet(conn, chain_id=chain_id, tablet_id=tablet_id):
            raise NotFound(field="tablet_id")
        return digest

    digest = await in_transaction(deps.pool, work)
    if digest is not None:
        await announce_revoked(deps, [digest])


def _opener(deps: Deps) -> Callable[[bytes], str]:
    return lambda sealed: deps.keys.links.open(sealed).decode()
