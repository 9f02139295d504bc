"""A chain's own number: given, released, renamed, and who speaks from it (LS-18 to LS-20, D26)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.postgres import Connection, in_transaction
from services.messaging.domain.chain import Chain, ChainId
from services.messaging.domain.errors import (
    NumberMissing,
    NumberTaken,
    OperatorRequired,
)
from services.messaging.domain.text_to_join import (
    JOIN_LINK_AGE_MAX,
    Actor,
    ChainNumber,
    NumberAct,
    NumberActKind,
    checked_keyword,
    has_own_number,
    phone_payload,
    require_own_number,
    story_number,
)
from services.messaging.storage import contacts, numbers
from services.messaging.usecases import known
from services.messaging.usecases.deps import Deps

OPERATOR = "OPERATOR"
ACTS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TextToJoin:
    """What "Programmes Texter pour entrer" shows: the number, if any, and the plan's word on it."""

    number: ChainNumber | None
    allowed: bool
    # What was done with it, newest first.
    acts: Sequence[NumberAct] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionNumber:
    """A number for a chain. An empty one is given, in a sandbox; an empty keyword is JOIGNEZ."""

    chain_id: ChainId
    number: str
    keyword: str
    actor: Actor

    @property
    def by_operator(self) -> bool:
        """Whether an operator gives it."""
        return self.actor.kind == OPERATOR


async def get_text_to_join(deps: Deps, chain_id: ChainId) -> TextToJoin:
    """The chain's number and keyword, and whether its plan has text-to-join (LS-19)."""

    async def work(conn: Connection) -> TextToJoin:
        chain = await contacts.find_chain(conn, chain_id)
        return TextToJoin(
            number=await numbers.find(conn, chain_id),
            allowed=chain is not None and has_own_number(chain),
            acts=await numbers.acts(conn, chain_id, limit=ACTS_SHOWN),
        )

    return await in_transaction(deps.pool, work)


async def provision_number(deps: Deps, command: ProvisionNumber) -> ChainNumber:
    """Give a chain its own number; repeatable, and a new number takes the place of the old one.

    A sandbox is given one at once; a live chain's is set up by an operator (LS-19). Refuses with
    ProRequired below Pro, OperatorRequired, NumberMissing, NumberTaken, and what
    `checked_keyword` refuses.
    """
    keyword = checked_keyword(command.keyword)

    async def work(conn: Connection) -> ChainNumber:
        chain = await known.chain(conn, command.chain_id)
        require_own_number(chain)
        if not chain.sandbox and not command.by_operator:
            raise OperatorRequired
        wanted = story_number(chain.chain_id) if chain.sandbox else command.number
        if not wanted:
            raise NumberMissing
        number = ChainNumber(
            chain_id=chain.chain_id,
            number=wanted,
            keyword=keyword,
            sandbox=chain.sandbox,
            provisioned_at=deps.clock.now(chain.chain_id),
        )
        if wanted == deps.sms_number or not await numbers.put(conn, number):
            raise NumberTaken
        await _note(deps, conn, number, NumberActKind.GIVEN, command.actor)
        return number

    return await in_transaction(deps.pool, work)


async def release_number(deps: Deps, chain_id: ChainId, *, actor: Actor) -> None:
    """Take a chain's number away: it speaks from the shared one again. Repeatable.

    Refuses with OperatorRequired for a live chain.
    """

    async def work(conn: Connection) -> None:
        chain = await known.chain(conn, chain_id)
        if not chain.sandbox and actor.kind != OPERATOR:
            raise OperatorRequired
        gone = await numbers.release(conn, chain_id)
        if gone is not None:
            await _note(deps, conn, gone, NumberActKind.RELEASED, actor)

    await in_transaction(deps.pool, work)


async def set_keyword(deps: Deps, chain_id: ChainId, keyword: str, *, actor: Actor) -> ChainNumber:
    """Change the keyword that the number answers; JOIGNEZ where it is empty.

    Refuses with ProRequired, NumberMissing, and what `checked_keyword` refuses.
    """
    wanted = checked_keyword(keyword)

    async def work(conn: Connection) -> ChainNumber:
        chain = await known.chain(conn, chain_id)
        require_own_number(chain)
        changed = await numbers.set_keyword(conn, chain_id, wanted)
        if changed is None:
            raise NumberMissing
        await _note(deps, conn, changed, NumberActKind.KEYWORD, actor)
        return changed

    return await in_transaction(deps.pool, work)


async def _note(
    deps: Deps, conn: Connection, number: ChainNumber, kind: NumberActKind, actor: Actor
) -> None:
    act = NumberAct(
        chain_id=number.chain_id,
        kind=kind,
        number=number.number,
        keyword=number.keyword,
        actor=actor,
        occurred_at=deps.clock.now(number.chain_id),
    )
    await numbers.note(conn, act)


async def sender_number(deps: Deps, chain_id: ChainId) -> str:
    """The number that a chain's texts come from and that "mon compte" shows (D26)."""

    async def work(conn: Connection) -> str:
        return await number_of(deps, conn, await contacts.find_chain(conn, chain_id))

    return await in_transaction(deps.pool, work)


async def number_of(deps: Deps, conn: Connection, chain: Chain | None) -> str:
    """The own number of a chain on Pro, else the platform's shared one."""
    if chain is None or not has_own_number(chain):
        return deps.sms_number
    own = await numbers.find(conn, chain.chain_id)
    return own.number if own else deps.sms_number


def join_link(deps: Deps, chain: Chain, phone: str) -> str:
    """The way to the sign-up form, marked as coming from a text (LS-21, LS-41, D24).

    The phone travels sealed for this chain and ends with the hour: `t` is the unpadded base64url
    of `Sealer(SECRET_KEY, "join-phone/{chain id}").seal(phone_payload(…))`.
    """
    payload = phone_payload(phone, expires_at=deps.clock.real_now() + JOIN_LINK_AGE_MAX)
    sealed = deps.join_sealer(chain.chain_id).seal(payload)
    token = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
    return f"{deps.public_url.rstrip('/')}/m/{chain.slug}/join?s=sms&t={token}"
