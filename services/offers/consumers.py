"""Events of others that offers acts on. The only file that names their topics."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.message import DecodeError
from loyalty.events.v1 import enrollment_events_pb2

from services.chassis.events import Event, Impossible
from services.chassis.handling import Handler
from services.chassis.postgres import Connection
from services.offers.domain.chain import Chain
from services.offers.domain.offer import ChainId
from services.offers.usecases import offers as usecases
from services.offers.usecases.deps import Deps

ENROLLMENT = "loyalty.enrollment.v1"
GROUP = "offers.chain-copies"


def handlers(deps: Deps) -> Mapping[str, Handler]:
    """What happens on each event of enrollment."""

    async def chain_changed(conn: Connection, event: Event) -> None:
        await usecases.take_chain(conn, _chain(event), now=deps.clock.now(event.chain_id))

    return {"chain.changed": chain_changed}


def _chain(event: Event) -> Chain:
    fact = enrollment_events_pb2.ChainChanged()
    try:
        fact.ParseFromString(event.payload)
        chain_id = UUID(fact.chain_id)
        ZoneInfo(fact.home_time_zone)
    except DecodeError:
        raise Impossible("chain.changed is not a ChainChanged") from None
    except ZoneInfoNotFoundError:
        raise Impossible("chain.changed names a zone that nobody knows") from None
    except ValueError:
        raise Impossible("chain.changed names no chain or no zone") from None
    if chain_id != event.chain_id:
        raise Impossible("chain.changed speaks of another chain than its header")
    return Chain(
        chain_id=ChainId(chain_id), home_time_zone=fact.home_time_zone, version=fact.version
    )
