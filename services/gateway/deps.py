"""What every route stands on, made once by `app.open_deps` and reached through the request."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeAlias

from fastapi import Depends, Request
from loyalty.enrollment.v1.enrollment_pb2 import (
    Chain,
    GetChainRequest,
    ListSalonsRequest,
    Salon,
)
from redis.asyncio import Redis

from services.chassis.clock import Clock
from services.chassis.errors import RemoteRefusal
from services.chassis.signing import Sealer, Signer
from services.gateway.clients import Clients
from services.gateway.countdown import Countdowns
from services.gateway.gathering import Gathered
from services.gateway.limits import Limits
from services.gateway.live import LiveHub
from services.gateway.settings import Settings

if TYPE_CHECKING:
    from services.gateway.auth import Authenticator

# A chain's name, colour or plan may be shown this long after it changed.
CHAIN_SECONDS = 5.0
# Bounds the memory that visitors of unknown addresses can take.
CHAINS_MAX = 4096
# Unknown salons in requests must not make a call to enrollment each.
SALON_MISS_SECONDS = 0.2


class Chains:
    """Chains by id and by slug, each remembered for five seconds, the unknown ones too."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: OrderedDict[str, tuple[float, Chain | None]] = OrderedDict()

    async def by_slug(self, slug: str) -> Chain | None:
        """The chain whose pages stand under this slug (any case), or None."""
        return await self._find(f"slug:{slug.lower()}", GetChainRequest(slug=slug.lower()))

    async def by_id(self, chain_id: str) -> Chain | None:
        """The chain with this id, or None."""
        return await self._find(f"id:{chain_id}", GetChainRequest(chain_id=chain_id))

    def forget(self, chain: Chain) -> None:
        """Ask enrollment again at the next use: the chain was changed through this process."""
        self._known.pop(f"id:{chain.id}", None)
        self._known.pop(f"slug:{chain.slug}", None)

    async def _find(self, key: str, request: GetChainRequest) -> Chain | None:
        now = time.monotonic()
        found = self._known.get(key)
        if found is not None and found[0] > now:
            return found[1]
        chain: Chain | None
        try:
            chain = (await self._clients.enrollment.GetChain(request)).chain
        except RemoteRefusal:
            chain = None
        self._known[key] = (now + CHAIN_SECONDS, chain)
        self._known.move_to_end(key)
        while len(self._known) > CHAINS_MAX:
            self._known.popitem(last=False)
        return chain


# By id, oldest first.
_ById: TypeAlias = Mapping[str, Salon]


class Salons:
    """The salons of each chain, remembered for five seconds."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._known: OrderedDict[str, tuple[float, _ById]] = OrderedDict()
        self._asked: dict[str, asyncio.Future[_ById]] = {}

    async def of(self, chain_id: str) -> list[Salon]:
        """All salons of the chain, oldest first."""
        return list((await self._of(chain_id)).values())

    async def find(self, chain_id: str, salon_id: str) -> Salon | None:
        """One salon of the chain; one just opened is found within `SALON_MISS_SECONDS`."""
        salon = (await self._of(chain_id)).get(salon_id)
        if salon is not None:
            return salon
        asked_at = self._known[chain_id][0] if chain_id in self._known else 0.0
        if asked_at + SALON_MISS_SECONDS > time.monotonic():
            return None
        return (await self._ask(chain_id)).get(salon_id)

    def forget(self, chain_id: str) -> None:
        """Ask enrollment again at the next use: a salon was changed through this process."""
        self._known.pop(chain_id, None)
        self._asked.pop(chain_id, None)

    async def _of(self, chain_id: str) -> _ById:
        known = self._known.get(chain_id)
        if known is not None and known[0] + CHAIN_SECONDS > time.monotonic():
            return known[1]
        return await self._ask(chain_id)

    async def _ask(self, chain_id: str) -> _ById:
        """Ask enrollment, once for all who want to know at the same time."""
        asked = self._asked.get(chain_id)
        if asked is None:
            asked = self._asked[chain_id] = asyncio.ensure_future(self._read(chain_id))
            asked.add_done_callback(partial(self._learn, chain_id))
        # Shielded: a caller who leaves must not cancel the others who wait for the same answer.
        return await asyncio.shield(asked)

    async def _read(self, chain_id: str) -> _ById:
        answer = await self._clients.enrollment.ListSalons(ListSalonsRequest(chain_id=chain_id))
        return {salon.id: salon for salon in answer.salons}

    def _learn(self, chain_id: str, asked: asyncio.Future[_ById]) -> None:
        """Remember an answer, unless it was asked for before something changed."""
        failed = asked.cancelled() or asked.exception() is not None
        if self._asked.get(chain_id) is not asked:
            return
        del self._asked[chain_id]
        if failed:
            return
        self._known[chain_id] = (time.monotonic(), asked.result())
        self._known.move_to_end(chain_id)
        while len(self._known) > CHAINS_MAX:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What routes need; one for the whole process."""

    settings: Settings
    clients: Clients
    gathered: Gathered
    authenticator: Authenticator
    limits: Limits
    live: LiveHub
    countdowns: Countdowns
    chains: Chains
    salons: Salons
    redis: Redis
    clock: Clock
    # Purpose → the signer or sealer of that purpose's key.
    signer: Callable[[str], Signer]
    sealer: Callable[[str], Sealer]


def get_deps(request: Request) -> Deps:
    """The process's dependencies, for `DepsDep`."""
    deps: Deps = request.app.state.deps
    return deps


DepsDep = Annotated[Deps, Depends(get_deps)]
