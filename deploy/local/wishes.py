"""What a person asked for (`make up PORT=… LAN=1 KAFKA=… PUBLIC_URL=…`) and what follows."""

import contextlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass

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
    scheme, host = ("https", lan_address()) if lan else ("http", "127.0.0.1")
    kafka = environment.get("KAFKA") or (known.kafka if known else EMBEDDED)
    if kafka not in (EMBEDDED, APACHE):
        raise WishRefused(
            f"KAFKA={kafka}: give `{APACHE}` or nothing; an address goes into KAFKA_BOOTSTRAP"
        )
    return Wishes(
        port=port,
        public_url=(environment.get("PUBLIC_URL") or f"{scheme}://{host}:{port}").rstrip("/"),
        lan=lan,
        kafka=environment.get("KAFKA_BOOTSTRAP") or kafka,
        postgres_url=environment.get("DATABASE_URL_ADMIN") or environment.get("POSTGRES_URL"),
        redis_url=environment.get("REDIS_URL"),
    )


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
