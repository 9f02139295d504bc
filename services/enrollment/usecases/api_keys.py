"""API keys: what a till shows of itself. Shown once, stored as a digest."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from services.chassis.postgres import Connection, in_transaction
from services.chassis.signing import token_digest
from services.enrollment.domain.credentials import (
    API_KEYS_MAX,
    BASE62,
    KEY_ID_LENGTH,
    KEY_SECRET_LENGTH,
    ApiKey,
    api_key_hint,
    read_scopes,
    write_api_key,
)
from services.enrollment.domain.errors import LimitReached, NotFound
from services.enrollment.domain.ids import Actor, ApiKeyId, ChainId, SalonId
from services.enrollment.domain.text import read_name
from services.enrollment.storage import audit
from services.enrollment.storage import chains as chain_storage
from services.enrollment.storage import devices as storage
from services.enrollment.usecases.deps import Deps, Request, announce_revoked, once, reading

# A page of keys: the living ones and the latest of those that were revoked.
LIST_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MintedKey:
    """A key with its token, which is in nobody's hands yet."""

    key: ApiKey
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateApiKey:
    """A key to be made."""

    request: Request
    chain_id: ChainId
    name: str
    scopes: tuple[str, ...]
    salon_ids: tuple[SalonId, ...]
    actor: Actor


def mint_key(
    *,
    chain_id: ChainId,
    sandbox: bool,
    name: str,
    scopes: tuple[str, ...],
    salon_ids: tuple[SalonId, ...],
    now: datetime,
) -> MintedKey:
    """A fresh key; its secret has 190 bits of chance, so its digest needs no slow hash."""
    token = write_api_key(
        sandbox=sandbox,
        key_id="".join(secrets.choice(BASE62) for _ in range(KEY_ID_LENGTH)),
        secret="".join(secrets.choice(BASE62) for _ in range(KEY_SECRET_LENGTH)),
    )
    key = ApiKey(
        id=ApiKeyId(uuid4()),
        chain_id=chain_id,
        name=name,
        hint=api_key_hint(token),
        scopes=scopes,
        salon_ids=salon_ids,
        created_at=now,
        last_used_at=None,
        revoked_at=None,
    )
    return MintedKey(key=key, token=token)


async def create_api_key(
    deps: Deps, command: CreateApiKey, *, answer: Callable[[MintedKey], bytes]
) -> bytes:
    """Make an API key; its token is shown in this answer and in resends of the same request.

    Repeatable by its idempotency key. Two keys may live side by side, so that one replaces another
    without a pause. Locks the chain.

    Refuses with NameInvalid, ScopesInvalid, NotFound (chain, salons), LimitReached.
    """
    now = deps.clock.real_now()
    name = read_name(command.name, field="name", required=True)
    scopes = read_scopes(command.scopes)
    salon_ids = tuple(dict.fromkeys(command.salon_ids))

    async def work(conn: Connection) -> bytes:
        async def make() -> bytes:
            chain = await chain_storage.lock_chain(conn, command.chain_id)
            if chain is None:
                raise NotFound(field="chain_id")
            if not await chain_storage.has_salons(conn, chain_id=chain.id, salon_ids=salon_ids):
                raise NotFound(field="salon_ids")
            if await storage.count_live_api_keys(conn, chain.id) >= API_KEYS_MAX:
                raise LimitReached(params={"max": str(API_KEYS_MAX)})
            minted = mint_key(
                chain_id=chain.id,
                sandbox=chain.sandbox,
                name=name,
                scopes=scopes,
                salon_ids=salon_ids,
                now=now,
            )
            await storage.insert_api_key(conn, minted.key, token_digest=token_digest(minted.token))
            await audit.note(
                conn,
                chain_id=chain.id,
                actor=command.actor,
                action="api_key.created",
                subject_id=minted.key.id,
                detail=" ".join(scopes),
            )
            return answer(minted)

        return await once(
            deps,
            conn,
            chain_id=command.chain_id,
            operation="create_api_key",
            request=command.request,
            work=make,
        )

    return await in_transaction(deps.pool, work)


async def list_api_keys(deps: Deps, chain_id: ChainId) -> list[ApiKey]:
    """The keys of a chain, newest first, revoked ones too; never their tokens.

    Refuses with NotFound.
    """
    async with reading(deps) as conn:
        if await chain_storage.get_chain(conn, chain_id) is None:
            raise NotFound(field="chain_id")
        return await storage.list_api_keys(conn, chain_id, count_max=LIST_MAX)


async def revoke_api_key(
    deps: Deps, *, chain_id: ChainId, api_key_id: ApiKeyId, actor: Actor
) -> None:
    """Switch a key off for good. Repeatable. Refuses with NotFound."""
    now = deps.clock.real_now()

    async def work(conn: Connection) -> bytes | None:
        digest = await storage.revoke_api_key(
            conn, chain_id=chain_id, api_key_id=api_key_id, now=now
        )
        if digest is not None:
            await audit.note(
                conn,
                chain_id=chain_id,
                actor=actor,
                action="api_key.revoked",
                subject_id=api_key_id,
            )
        elif not await storage.has_api_key(conn, chain_id=chain_id, api_key_id=api_key_id):
            raise NotFound(field="api_key_id")
        return digest

    digest = await in_transaction(deps.pool, work)
    if digest is not None:
        await announce_revoked(deps, [digest])
