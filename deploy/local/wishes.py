"""What a person asked for (`make up PORT=… LAN=1 KAFKA=… PUBLIC_URL=…`) and what follows."""

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from deploy.local.layout import Layout, write_private

PORT = 8080
EMBEDDED = "embedded"
APACHE = "apache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How one platform runs. `kafka` is `embedded`, `apache` or an address."""

    port: int
    public_url: str
    lan: bool
    kafka: str
    postgres_url: str | None
    redis_url: str | None
    # Beyond those of a laptop, for our own server.
    postgres_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def bind_host(self) -> str:
        """The interface of the front door; everything else stays on loopback."""
        return "0.0.0.0" if self.lan else "127.0.0.1"


class WishRefused(Exception):
    """A value on the command line that cannot be meant."""


def gather(layout: Layout, environment: Mapping[str, str], *, running: bool) -> Wishes:
    """Combine the command line with what this checkout did before.

    The port is kept until another is named, since links and QR codes carry it. While the
    platform runs, whatever is not named stays as it runs.
    """
    known = _read(layout) if running else None
    port = _port(environment.get("PORT", "")) or layout.ports().find("gateway.http") or PORT
    if environment.get("LAN"):
        lan = environment["LAN"] not in ("0", "no", "false")
    else:
        lan = known.lan if known else False
    return Wishes(
        port=port,
        public_url=_public_url(environment, known, port=port, lan=lan),
        lan=lan,
        kafka=_kafka(environment, known),
        postgres_url=environment.get("DATABASE_URL_ADMIN")
        or environment.get("POSTGRES_URL")
        or (known.postgres_url if known else None),
        redis_url=environment.get("REDIS_URL") or (known.redis_url if known else None),
        postgres_settings=known.postgres_settings if known else {},
    )


def _public_url(
    environment: Mapping[str, str], known: Wishes | None, *, port: int, lan: bool
) -> str:
    """The address of links and QR codes: as named, else as it runs, else where the door is."""
    if environment.get("PUBLIC_URL"):
        return environment["PUBLIC_URL"].rstrip("/")
    if known and (known.port, known.lan) == (port, lan):
        return known.public_url
    return f"https://{lan_address()}:{port}" if lan else f"http://127.0.0.1:{port}"


def _kafka(environment: Mapping[str, str], known: Wishes | None) -> str:
    """An address, else the wished kind, else as it runs, else the embedded broker."""
    if environment.get("KAFKA_BOOTSTRAP"):
        return environment["KAFKA_BOOTSTRAP"]
    kind = environment.get("KAFKA", "")
    if kind not in ("", EMBEDDED, APACHE):
        raise WishRefused(
            f"KAFKA={kind}: give `{APACHE}` or nothing; an address goes into KAFKA_BOOTSTRAP"
        )
    return kind or (known.kafka if known else EMBEDDED)


def remember(layout: Layout, wishes: Wishes) -> None:
    """Keep what runs, for `make up` while it runs and for `make status`."""
    layout.ports().set("gateway.http", wishes.port)
    write_private(layout.run / "plan" / "wishes.json", json.dumps(asdict(wishes)))


def _read(layout: Layout) -> Wishes | None:
    with contextlib.suppress(FileNotFoundError, TypeError, json.JSONDecodeError):
        return Wishes(**json.loads((layout.run / "plan" / "wishes.json").read_text()))
    return None


def current(layout: Layout) -> Wishes:
    """How the platform runs, or would run."""
    return _read(layout) or gather(layout, {}, running=False)


def _port(given: str) -> int | None:
    if not given:
        return None
    if not given.isdigit() or not 0 < int(given) < 65_536:
        raise WishRefused(f"PORT={given}: a port is a number from 1 to 65535")
    return int(given)


def lan_address() -> str:
    """This machine's address on its own network. Nothing is sent to learn it."""
    if given := os.environ.get("LAN_ADDRESS"):
        return given
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            # An address for documentation (RFC 5737): connecting a datagram socket only asks
            # the kernel for a route.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            raise WishRefused(
                "LAN=1: this machine has no network; name it by LAN_ADDRESS=…"
            ) from None
