"""What every route stands on, made once by `app.open_deps` and reached through the request."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from loyalty.enrollment.v1.enrollment_pb2 import Chain, GetChainRequest
from redis.asyncio import Redis

from services.chassis.clock import Clock
from services.chassis.errors import RemoteRefusal
from services.chassis.signing import Sealer, Signer
from services.gateway.clients import Clients
from services.gateway.countdown import Countdowns
from services.gateway.limits import Limits
from services.gateway.live import LiveHub
from services.gateway.settings import Settings

if TYPE_CHECKING:
    from services.gateway.auth import Authenticator

# A chain's name, colour or plan may be shown this long after it changed.
CHAIN_SECONDS = 5.0
# Bounds the memory that visitors of unknown addresses can take.
CHAINS_MAX = 4096


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What routes need; one for the whole process."""

    settings: Settings
    clients: Clients
    authenticator: Authenticator
    limits: Limits
    live: LiveHub
    countdowns: Countdowns
    chains: Chains
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
