"""PostgreSQL, Redis and Kafka for one platform: an address from the environment, else our own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from deploy.local import kafka_servers, ports, postgres_server, processes, redis_server
from deploy.local.layout import Layout
from deploy.local.wishes import APACHE, EMBEDDED, Wishes

# The order in which they are stopped: what others write to goes last.
NAMES = ("kafka", "redis", "postgres")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the engines are."""

    postgres_admin_url: str
    redis_url: str
    kafka_bootstrap: str


def own(wishes: Wishes) -> tuple[str, ...]:
    """The engines that we start ourselves; the others were given as addresses."""
    given = {
        "kafka": wishes.kafka not in (EMBEDDED, APACHE),
        "redis": wishes.redis_url is not None,
        "postgres": wishes.postgres_url is not None,
    }
    return tuple(name for name in NAMES if not given[name])


def addresses(layout: Layout, wishes: Wishes) -> Addresses:
    """Where the engines are or will be."""
    book, kept = layout.ports(), layout.secrets()
    return Addresses(
        postgres_admin_url=wishes.postgres_url
        or postgres_server.url(port=book.get("postgres"), password=kept.database_password),
        redis_url=wishes.redis_url
        or redis_server.url(port=book.get("redis"), password=kept.redis_password),
        kafka_bootstrap=wishes.kafka
        if "kafka" not in own(wishes)
        else kafka_servers.bootstrap(book.get("kafka")),
    )


def start(name: str, layout: Layout, wishes: Wishes) -> bool:
    """Start one engine of our own unless it runs. True when it was started now.

    Always on its stored port: services that run know it by that one.
    """
    if processes.alive(layout.run, name):
        return False
    book, kept = layout.ports(), layout.secrets()
    port = book.get(name)
    if name == "postgres":
        postgres_server.start(
            state=layout.data / "postgres",
            run=layout.run,
            log=layout.log(name),
            port=port,
            password=kept.database_password,
            settings=wishes.postgres_settings,
        )
    elif name == "redis":
        redis_server.start(
            state=layout.data / "redis",
            run=layout.run,
            log=layout.log(name),
            port=port,
            password=kept.redis_password,
        )
    elif wishes.kafka == APACHE:
        kafka_servers.start_apache(
            state=layout.data / "kafka",
            jars=kafka_servers.ROOT / ".local" / "kafka-jars",
            run=layout.run,
            log=layout.log(name),
            port=port,
            controller_port=book.get("kafka.controller"),
        )
    else:
        kafka_servers.start_embedded(run=layout.run, log=layout.log(name), port=port)
    return True


def _draw_port(name: str, layout: Layout) -> None:
    """Keep the stored port, or draw another when somebody else has taken it meanwhile."""
    book = layout.ports()
    if not ports.is_free(book.get(name)):
        book.renew(name)


def start_all(layout: Layout, wishes: Wishes, tell: Callable[[str], None]) -> set[str]:
    """Start every engine of our own at the same time; the names of those that were started."""
    # Ports are drawn before the threads start: the book of ports has one writer at a time.
    for name in (*own(wishes), "kafka.controller"):
        if not processes.alive(layout.run, name.partition(".")[0]):
            _draw_port(name, layout)

    def one(name: str) -> tuple[str, bool]:
        fresh = start(name, layout, wishes)
        kind = " (Apache Kafka)" if name == "kafka" and wishes.kafka == APACHE else ""
        tell(f"{name}{kind} {'started' if fresh else 'runs already'}")
        return name, fresh

    with ThreadPoolExecutor(max_workers=3) as pool:
        return {name for name, fresh in pool.map(one, own(wishes)) if fresh}


def stop_all(layout: Layout, tell: Callable[[str], None]) -> None:
    """Stop the engines that we started, and only those."""
    for name in NAMES:
        stopped = (
            postgres_server.stop(layout.run)
            if name == "postgres"
            else processes.stop(layout.run, name, drain_seconds=20)
        )
        if stopped:
            tell(f"{name} stopped")
