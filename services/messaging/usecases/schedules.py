"""Scheduled messages as an owner keeps them (LS-64 to LS-69)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from services.chassis import idempotency
from services.chassis.idempotency import Claim
from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.delivery import MessageKind
from services.messaging.domain.errors import (
    NotFound,
    OfferEnded,
    OfferNotFound,
)
from services.messaging.domain.offer import OfferId
from services.messaging.domain.schedule import (
    NO_WORDS,
    ScheduledId,
    ScheduledMessage,
    ScheduledWords,
    WordsChange,
    checked_days,
    has_schedules,
    require_schedules,
)
from services.messaging.storage import contacts, offers
from services.messaging.storage import schedules as rows
from services.messaging.usecases import audiences, holding, known, previewing
from services.messaging.usecases.deps import Deps


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateScheduled:
    """A birthday message as the form sends it (LS-65)."""

    idempotency_key: str
    fingerprint: bytes
    chain_id: ChainId
    days_before: int
    offer_id: OfferId | None
    words: ScheduledWords
    enabled: bool
    # For those who read English.
    english: ScheduledWords = NO_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledChange:
    """What is to be different; None leaves as it is. `offer_id` empty: no offer any more."""

    chain_id: ChainId
    id: ScheduledId
    days_before: int | None
    offer_id: OfferId | str | None
    words: WordsChange
    english: WordsChange
    enabled: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A message as its owner sees it, with what to know of its words (LS-68)."""

    message: ScheduledMessage
    held_by_plan: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The chain's messages, and whether its plan sends any."""

    messages: tuple[Shown, ...]
    allowed: bool


async def create(deps: Deps, command: CreateScheduled) -> Shown:
    """Write a message that goes out from today on. Repeatable by key.

    Refuses with PlanRequired on Partant (P3), OfferNotFound for an offer that does not exist yet
    (LS-67), OfferEnded, PostalAddressMissing, NumberOutOfRange, TemplateInvalid.
    """
    checked_days(command.days_before)
    claim = Claim(
        chain_id=command.chain_id,
        operation="create_scheduled_message",
        key=command.idempotency_key,
        fingerprint=command.fingerprint,
    )

    async def work(conn: Connection) -> Shown:
        chain = await known.chain(conn, command.chain_id)
        now = deps.clock.now(chain.chain_id)

        async def effect() -> bytes:
            require_schedules(chain)
            message = ScheduledMessage(
                chain_id=chain.chain_id,
                id=ScheduledId(uuid4()),
                days_before=command.days_before,
                offer_id=command.offer_id,
                words=command.words,
                enabled=command.enabled,
                runs_from=holding.today(deps, chain),
                created_at=now,
                updated_at=now,
                version=1,
                english=command.english,
            )
            warnings = await _checked(deps, conn, chain, message)
            await rows.insert(conn, message)
            return " ".join((str(message.id), *warnings)).encode()

        made, *warnings = (await idempotency.once(conn, claim, effect)).decode().split()
        found = await rows.find(conn, chain.chain_id, ScheduledId(UUID(made)))
        if found is None:
            raise NotFound(field="message_id")
        held = not has_schedules(chain)
        return Shown(message=found, held_by_plan=held, warnings=tuple(warnings))

    return await in_transaction(deps.pool, work)


async def update(deps: Deps, change: ScheduledChange) -> Shown:
    """Change a message; one that is switched on again begins today. Locks it.

    Refuses as `create` does, and with NotFound. On Partant it can only be switched off.
    """

    async def work(conn: Connection) -> Shown:
        chain = await known.chain(conn, change.chain_id)
        before = await rows.lock(conn, change.chain_id, change.id)
        if before is None:
            raise NotFound(field="message_id")
        after = _changed(before, change)
        if after.enabled:
            require_schedules(chain)
        checked_days(after.days_before)
        warnings = await _checked(deps, conn, chain, after)
        if after == before:
            return Shown(message=before, held_by_plan=not has_schedules(chain), warnings=warnings)
        if after.enabled and not before.enabled:
            after = replace(after, runs_from=holding.today(deps, chain))
        after = replace(after, updated_at=deps.clock.now(chain.chain_id))
        written = await rows.update(conn, after)
        return Shown(message=written, held_by_plan=not has_schedules(chain), warnings=warnings)

    return await in_transaction(deps.pool, work)


async def delete(deps: Deps, chain_id: ChainId, message_id: ScheduledId) -> None:
    """Take a message away, also what is queued of it. Refuses with NotFound."""

    async def work(conn: Connection) -> None:
        if not await rows.delete(conn, chain_id, message_id):
            raise NotFound(field="message_id")

    await in_transaction(deps.pool, work)


async def list_messages(deps: Deps, chain_id: ChainId) -> Listed:
    """The chain's messages; on Partant they are kept and held (P4)."""

    async def work(conn: Connection) -> Listed:
        chain = await contacts.find_chain(conn, chain_id)
        allowed = chain is not None and has_schedules(chain)
        found = await rows.of_chain(conn, chain_id)
        return Listed(
            messages=tuple(Shown(message=one, held_by_plan=not allowed) for one in found),
            allowed=allowed,
        )

    return await in_transaction(deps.pool, work)


def _changed(before: ScheduledMessage, change: ScheduledChange) -> ScheduledMessage:
    offer_id = before.offer_id
    if change.offer_id is not None:
        offer_id = None if isinstance(change.offer_id, str) else change.offer_id
    return replace(
        before,
        days_before=before.days_before if change.days_before is None else change.days_before,
        offer_id=offer_id,
        words=change.words.applied(before.words),
        english=change.english.applied(before.english),
        enabled=before.enabled if change.enabled is None else change.enabled,
    )


async def _checked(
    deps: Deps, conn: Connection, chain: Chain, message: ScheduledMessage
) -> tuple[str, ...]:
    """What to know of a message; refuses what cannot be sent.

    Its offer counts on each day of sending anew: outside its dates the wish leaves without it.
    """
    offer = None
    warnings: list[str] = []
    if message.offer_id is not None:
        offer = await offers.find(conn, chain.chain_id, message.offer_id)
        if offer is None:
            raise OfferNotFound
        today = holding.today(deps, chain)
        if message.enabled and offer.is_over(today):
            raise OfferEnded
        if today < offer.start_date:
            warnings.append("offer_not_started")
    if message.enabled:
        await audiences.require_postal_address(deps, conn, chain, previewing.ANY_BIRTHDAY)
    shown = await previewing.shown_messages(
        deps, conn, chain, MessageKind.BIRTHDAY, message.words, message.english, offer=offer
    )
    return warnings_of(warnings, shown)


def warnings_of(known: Sequence[str], shown: Sequence[previewing.ShownMessage]) -> tuple[str, ...]:
    """What to know of a message before it is used: each once (LS-68)."""
    said = (word for one in shown if one.written for word in one.preview.warnings)
    return tuple(dict.fromkeys((*known, *said)))
