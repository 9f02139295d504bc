"""The six services as processes: their command, their environment, their ports."""

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass

from deploy.local import databases, engines, ports, processes
from deploy.local.layout import ROOT, Layout, write_private
from deploy.local.wishes import EMBEDDED, Wishes

WITH_DATABASE = databases.SERVICES
GATEWAY = "gateway"
NAMES = (*WITH_DATABASE, GATEWAY)
PROBE_SECONDS_MAX = 3
# The embedded broker lets a killed consumer's successor in after this long. Apache Kafka takes
# nothing below six seconds, which is the services' own default.
EMBEDDED_SESSION_MS = 2_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process that the supervisor keeps alive."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: str
    port: int


def plan(layout: Layout, wishes: Wishes) -> list[Service]:
    """What is to run, from the wishes and from what the state folder keeps."""
    book = layout.ports()
    for name in NAMES:
        for kind in ("grpc", "ops"):
            _draw(layout, service=name, kind=kind)
    book = layout.ports()
    return [
        Service(
            name=name,
            command=[sys.executable, "-m", f"services.{name}.main"],
            env=environment(name, layout, wishes),
            log=str(layout.log(name)),
            port=wishes.port if name == GATEWAY else book.get(f"{name}.grpc"),
        )
        for name in NAMES
    ]


def environment(name: str, layout: Layout, wishes: Wishes) -> dict[str, str]:
    """The environment of one service process: the running contract, over the caller's shell."""
    book, kept, where = layout.ports(), layout.secrets(), engines.addresses(layout, wishes)
    settings = {
        "ENVIRONMENT": "local",
        "KAFKA_BOOTSTRAP": where.kafka_bootstrap,
        "REDIS_URL": where.redis_url,
        "BIND_HOST": "127.0.0.1",
        "GRPC_PORT": str(book.get(f"{name}.grpc")),
        "OPS_PORT": str(book.get(f"{name}.ops")),
        "SECRET_KEY": kept.secret_key,
        "PUBLIC_URL": wishes.public_url,
        **{
            f"{peer.upper()}_ADDRESS": f"127.0.0.1:{book.get(f'{peer}.grpc')}"
            for peer in WITH_DATABASE
        },
    }
    if wishes.kafka == EMBEDDED:
        settings["KAFKA_SESSION_TIMEOUT_MS"] = str(EMBEDDED_SESSION_MS)
    if name in WITH_DATABASE:
        both = database_urls(name, layout, wishes)
        settings |= {"DATABASE_URL": both.service_url, "MIGRATION_DATABASE_URL": both.owner_url}
    if name == GATEWAY:
        settings |= {
            "OPERATOR_KEY": kept.operator_key,
            "HTTP_PORT": str(wishes.port),
            "BIND_HOST": wishes.bind_host,
        }
        if wishes.lan:
            folder = layout.folder / "tls"
            settings |= {
                "TLS_CERT_FILE": str(folder / "certificate.pem"),
                "TLS_KEY_FILE": str(folder / "key.pem"),
            }
    return {**base_environment(), **settings}


def base_environment() -> dict[str, str]:
    """What every process of ours gets: the caller's shell, so that a provider's keys or a log
    level reach the services, without what only `make` and the engines' administrators may know.
    """
    inherited = {key: value for key, value in os.environ.items() if key not in _OURS}
    return {
        **inherited,
        # gRPC would ask a proxy for our own loopback otherwise.
        **{name: _beside_loopback(name) for name in ("no_proxy", "NO_PROXY")},
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto" / "gen")]),
        "PYTHONUNBUFFERED": "1",
    }


# Variables of `make` and of the engines' administrators that no service may see.
_OURS = ("DATABASE_URL_ADMIN", "POSTGRES_URL", "PORT", "LAN", "KAFKA", "DATABASE_URL")


def _beside_loopback(name: str) -> str:
    return ",".join(filter(None, [os.environ.get(name, ""), "127.0.0.1,localhost"]))


def database_urls(name: str, layout: Layout, wishes: Wishes) -> databases.DatabaseUrls:
    """Both addresses of one service's database."""
    return databases.urls(
        engines.addresses(layout, wishes).postgres_admin_url,
        name,
        password=layout.secrets().database_password,
        database=name,
    )


def _draw(layout: Layout, *, service: str, kind: str) -> None:
    """Keep a service's port unless it is down and somebody else sits on the port."""
    book = layout.ports()
    name = f"{service}.{kind}"
    port = book.get(name)
    if not processes.alive(layout.run, service) and not ports.is_free(port):
        book.renew(name)


def write_plan(layout: Layout, services: list[Service]) -> None:
    """Hand the plan to the supervisor. It holds secrets, so only its owner may read it."""
    write_private(layout.plan, json.dumps([asdict(service) for service in services]))


def read_plan(layout: Layout) -> list[Service]:
    """What the supervisor keeps alive; nothing before the first start."""
    try:
        return [Service(**entry) for entry in json.loads(layout.plan.read_text())]
    except FileNotFoundError:
        return []


def fingerprint(services: list[Service]) -> str:
    """Changes when the code or the environment of a service does, so that `up` restarts them."""
    digest = hashlib.sha256(json.dumps([_essence(s) for s in services], sort_keys=True).encode())
    for folder in (ROOT / "services", ROOT / "proto" / "gen"):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                facts = path.stat()
                digest.update(f"{path}:{facts.st_size}:{facts.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _essence(service: Service) -> dict[str, object]:
    """A service without the rest of the caller's shell, which changes with every terminal."""
    names = set(service.env) - set(os.environ) | {"PUBLIC_URL", "KAFKA_BOOTSTRAP", "REDIS_URL"}
    env = {name: service.env.get(name) for name in sorted(names)}
    return {"name": service.name, "command": service.command, "port": service.port, "env": env}


def ops_url(layout: Layout, name: str) -> str:
    """Where a service tells of itself: /healthz, /readyz, /metrics, /version."""
    return f"http://127.0.0.1:{layout.ports().get(f'{name}.ops')}"


def readiness(layout: Layout, name: str) -> tuple[bool, str]:
    """Whether a service says that it is ready, and what it says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{ops_url(layout, name)}/readyz", timeout=PROBE_SECONDS_MAX) as answer:
            return answer.status == 200, answer.read(4096).decode(errors="replace")
    except urllib.error.HTTPError as refusal:
        return False, refusal.read(4096).decode(errors="replace")
    except OSError:
        return False, "does not answer"
