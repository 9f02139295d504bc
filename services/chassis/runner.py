"""Runs one service process: settings, engines, roles, and an orderly end.

A service's `main` names its roles in `build`; everything that all mains would repeat is here.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import structlog
import uvloop
from chassis.v1 import business_clock_pb2_grpc
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from services.chassis import logging, migrate, ops, retention
from services.chassis import settings as environment
from services.chassis.clock import BusinessClock, SystemClock
from services.chassis.clock_service import REFUSALS, BusinessClockServicer, DueSource, DueWork
from services.chassis.consumer import Consumer
from services.chassis.errors import Unavailable
from services.chassis.grpc_server import GrpcServer, RefusalTable, Register
from services.chassis.handling import Handler, Together
from services.chassis.http_server import HttpServer
from services.chassis.jobs import JobHandler, JobRunner
from services.chassis.metrics import EVENT_LOOP_LAG_SECONDS, POSTGRES_POOL_CONNECTIONS
from services.chassis.postgres import Pool, create_pool
from services.chassis.relay import Relay
from services.chassis.settings import ServiceSettings, SettingsWrong

log = structlog.get_logger(__name__)

S = TypeVar("S", bound=ServiceSettings)

EXIT_FAILED = 1
EXIT_SETTINGS = 2
# Engines may come up beside us; after this long somebody should be told.
ENGINE_WAIT_SECONDS = 20.0
REDIS_TIMEOUT_SECONDS = 0.5
REDIS_CONNECTIONS_MAX = 32
# New objects before a young collection, young ones before a middle one, those before a full one.
COLLECT_AFTER = (20_000, 20, 20)
# What the last steps of a stop keep for themselves.
LAST_STEPS_SECONDS = 2.0


class StartRefused(Exception):
    """The process cannot start, in words for whoever reads its last lines."""


class App(Generic[S]):
    """One process in the making: what it stands on, and the roles it will play."""

    def __init__(self, settings: S, *, pool: Pool | None, redis: Redis) -> None:
        self.settings = settings
        self.redis = redis
        self.clock = SystemClock()
        self.business = BusinessClock(self.clock, pool)
        self._pool = pool
        # Every pool that is open.
        self.pools = [pool] if pool is not None else []
        self._readiness = ops.Readiness()
        self._due = DueWork()
        self._grpc: GrpcServer | None = None
        self._http: list[HttpServer] = []
        self._consumers: list[Consumer] = []
        self._relay: Relay | None = None
        # Roles that end by themselves when told to, and work that is simply ended.
        self._roles: dict[str, Callable[[], Awaitable[None]]] = {}
        self._background: dict[str, Callable[[], Awaitable[None]]] = {}
        self._rules: list[retention.Rule] = [*retention.RULES]
        self._closes: list[Callable[[], Awaitable[None]]] = []

    @property
    def pool(self) -> Pool:
        """The service's database."""
        if self._pool is None:
            raise StartRefused(f"{self.settings.service_name} has no database")
        return self._pool

    # -- what `build` calls ------------------------------------------------------------------

    async def once_planned_pool(self, *, size_max: int) -> Pool:
        """A few connections more, each of which plans a statement once (see `server_settings`)."""
        pool = await create_pool(
            self.settings.database_url,
            size_max=size_max,
            name=f"{self.settings.service_name} once planned",
            plans_once=True,
        )
        self.pools.append(pool)
        return pool

    def serve_grpc(self, register: Register, refusals: RefusalTable) -> None:
        """Serve gRPC, health and the business clock on `GRPC_PORT`; may be called repeatedly."""
        if self._grpc is None:
            self._grpc = GrpcServer(f"{self.settings.bind_host}:{self.settings.grpc_port}")
            if self._pool is not None:
                clock = BusinessClockServicer(pool=self._pool, clock=self.business, due=self._due)
                self._grpc.register(
                    lambda server: business_clock_pb2_grpc.add_BusinessClockServicer_to_server(
                        clock, server
                    ),
                    REFUSALS,
                )
        self._grpc.register(register, refusals)

    def serve_http(
        self,
        application: Any,
        *,
        port: int,
        certificate_file: str | None = None,
        key_file: str | None = None,
    ) -> None:
        """Serve an ASGI application on `BIND_HOST:port`."""
        server = HttpServer(
            application,
            host=self.settings.bind_host,
            port=port,
            certificate_file=certificate_file,
            key_file=key_file,
            grace_seconds=self.settings.drain_seconds / 2,
        )
        self._http.append(server)
        self._roles[f"http {port}"] = server.run

    def consume(
        self, *, group: str, topics: Sequence[str], handlers: Mapping[str, Handler] | Together
    ) -> None:
        """Apply events of others, as the named group."""
        consumer = Consumer(
            group=group,
            topics=topics,
            handlers=handlers,
            pool=self.pool,
            bootstrap=self.settings.kafka_bootstrap,
            redis=self.redis,
            session_timeout_ms=self.settings.kafka_session_timeout_ms,
        )
        self._consumers.append(consumer)
        self._roles[f"consumer {group}"] = consumer.run

    def run_jobs(self, handlers: Mapping[str, JobHandler]) -> None:
        """Do timed work of these kinds; once for each process."""
        if self._due.runner is not None:
            raise StartRefused("run_jobs is called once, with all kinds")
        self._due.runner = JobRunner(self.pool, handlers, self.business)
        self._roles["jobs"] = self._due.runner.run

    def business_due(self, source: DueSource) -> None:
        """Let walks through time know of timed work outside the job table."""
        self._due.sources.append(source)

    def relay_outbox(self) -> None:
        """Publish what `outbox.append` writes."""
        self._relay = Relay(
            service=self.settings.service_name,
            database_url=self.settings.database_url,
            pool=self.pool,
            bootstrap=self.settings.kafka_bootstrap,
            redis=self.redis,
        )
        self._roles["relay"] = self._relay.run

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run endless work beside the roles; it is cancelled at the end."""
        self._background[name] = work

    def forget(self, rules: Sequence[retention.Rule]) -> None:
        """Remove rows of the service's own tables too when they are past their time."""
        self._rules += rules

    def check(self, check: ops.Check) -> None:
        """Add a check of the service's own to `/readyz`."""
        self._readiness.checks.append(check)

    def on_stop(self, close: Callable[[], Awaitable[None]]) -> None:
        """Close something of the service's own after all roles have ended, last opened first."""
        self._closes.append(close)

    # -- the life of the process -------------------------------------------------------------

    async def live(self, stop: asyncio.Event) -> None:
        """Play all roles until `stop` is set or one of them fails; then end in order.

        Raises the failed role's exception.
        """
        self._add_checks()
        self._serve_ops()
        await self.business.load()
        if self._pool is not None:
            self._background["business clock"] = self.business.watch
            pool = self._pool
            self._background["retention"] = lambda: retention.keep(pool, self._rules)
        self._background["loop lag"] = _measure_loop_lag
        tasks = [
            asyncio.create_task(_role(name, work), name=name)
            for name, work in {**self._roles, **self._background}.items()
        ]
        try:
            await self._open_doors()
            _settle_memory()
            log.info("started", roles=sorted(self._roles))
            await _first_failure(tasks, stop)
        finally:
            end = asyncio.get_running_loop().time() + self.settings.drain_seconds
            try:
                async with asyncio.timeout_at(end):
                    await self._end(tasks)
            except TimeoutError:
                log.error("stopped_before_all_was_done")
            await _cancel(tasks, until=end)

    async def _open_doors(self) -> None:
        for server in self._http:
            await server.started()
        if self._grpc is not None:
            try:
                await self._grpc.start()
            except RuntimeError as error:
                raise StartRefused(f"GRPC_PORT: {self.settings.grpc_port} is taken") from error

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Doors first, then what feeds on events, then the outbox, then what they stood on."""
        log.info("stopping")
        self._readiness.stopping = True
        grace = max(0.1, self.settings.drain_seconds - LAST_STEPS_SECONDS) / 2
        if self._grpc is not None:
            await self._grpc.refuse_new_calls()
            await self._grpc.stop(grace)
        for consumer in self._consumers:
            consumer.stop()
        if self._due.runner is not None:
            self._due.runner.stop()
        for server in self._http:
            server.stop()
        await _ended(tasks, prefixes=("consumer", "jobs", "http"), seconds=grace)
        if self._relay is not None:
            self._relay.stop()
        await _ended(tasks, prefixes=("relay",), seconds=grace)
        for close in reversed(self._closes):
            await close()

    def _serve_ops(self) -> None:
        self.serve_http(
            ops.application(
                service=self.settings.service_name,
                version=self.settings.version,
                readiness=self._readiness,
                refresh=self._refresh_gauges,
            ),
            port=self.settings.ops_port,
        )

    def _refresh_gauges(self) -> None:
        if self.pools:
            idle = sum(pool.get_idle_size() for pool in self.pools)
            POSTGRES_POOL_CONNECTIONS.labels("idle").set(idle)
            busy = sum(pool.get_size() for pool in self.pools) - idle
            POSTGRES_POOL_CONNECTIONS.labels("busy").set(busy)

    def _add_checks(self) -> None:
        if self._pool is not None:
            self.check(ops.Check(name="postgres", ask=self._ask_postgres))
            self.check(ops.Check(name="migrations", ask=self._ask_migrations))
        self.check(ops.Check(name="redis", ask=self._ask_redis, weight="degraded"))
        if self._relay is not None or self._consumers:
            # Later losses are waited out: requests go on into the outbox.
            self.check(ops.Check(name="kafka", ask=self._ask_kafka, weight="startup"))

    async def _ask_postgres(self) -> None:
        await self.pool.execute("SELECT 1")

    async def _ask_migrations(self) -> None:
        left = await migrate.pending(self.pool, self.settings.service_name)
        if left:
            raise ops.NotReady(f"pending: {', '.join(left)}")

    async def _ask_redis(self) -> None:
        await self.redis.exists("readyz")

    async def _ask_kafka(self) -> str | None:
        await _reach(self.settings.kafka_bootstrap)
        waiting = [consumer.group for consumer in self._consumers if not consumer.ready]
        if waiting:
            raise ops.NotReady(f"not joined yet: {', '.join(waiting)}")
        gaps = {consumer.group: consumer.gaps for consumer in self._consumers if consumer.gaps}
        return f"ok; replays asked for: {gaps}" if gaps else None


async def _reach(bootstrap: str) -> None:
    """Open a connection to one of the brokers; raises when none answers."""
    failure: OSError | None = None
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError as error:
            failure = error
            continue
        writer.close()
        return
    raise failure or OSError("no broker is named")


async def _role(name: str, work: Callable[[], Awaitable[None]]) -> None:
    try:
        await work()
    except Exception:
        log.exception("role_failed", role=name)
        raise


async def _first_failure(tasks: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> None:
    """Wait until told to stop, or until a role ends, which none should do by itself."""
    stopped = asyncio.create_task(stop.wait())
    try:
        done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is not stopped:
                # A role's own exception is what ended the process.
                await task
                raise StartRefused(f"{task.get_name()} ended by itself")
    finally:
        stopped.cancel()


async def _ended(
    tasks: Sequence[asyncio.Task[None]], *, prefixes: tuple[str, ...], seconds: float
) -> None:
    mine = [task for task in tasks if task.get_name().startswith(prefixes)]
    if mine:
        await asyncio.wait(mine, timeout=seconds)


async def _cancel(tasks: Sequence[asyncio.Task[None]], *, until: float) -> None:
    """Cancel what still runs; a task that will not end does not keep the process from it."""
    for task in tasks:
        task.cancel()
    seconds = max(LAST_STEPS_SECONDS, until - asyncio.get_running_loop().time())
    done, left = await asyncio.wait(tasks, timeout=seconds)
    for task in left:
        log.error("role_did_not_end", role=task.get_name())
    # What a role died of has been logged by the role.
    await asyncio.gather(*done, return_exceptions=True)


def _settle_memory() -> None:
    """Spare each full collection the walk over what the process has loaded and will always keep.

    A request makes some hundred objects that reference counting frees at once; a collection every
    seven hundred finds nothing in them and, where it walks all modules, stops the process for
    tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def _measure_loop_lag() -> None:
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(1)
        EVENT_LOOP_LAG_SECONDS.set(max(0.0, loop.time() - before - 1))


async def _open_pool(settings: ServiceSettings) -> Pool | None:
    """Open the pool, waiting a while for PostgreSQL; refuses a schema that is behind."""
    if "postgres" not in settings.engines:
        return None
    loop = asyncio.get_running_loop()
    end = loop.time() + ENGINE_WAIT_SECONDS
    while True:
        try:
            pool = await create_pool(
                settings.database_url,
                size_max=settings.pool_size_max,
                name=settings.service_name,
            )
            break
        except Unavailable as error:
            if loop.time() > end:
                raise StartRefused(f"DATABASE_URL: {error}") from error
            await asyncio.sleep(0.3)
    left = await migrate.pending(pool, settings.service_name)
    if left:
        await pool.close()
        raise StartRefused(
            f"the database lacks {', '.join(left)}; "
            f"run python -m services.chassis.migrate {settings.service_name}"
        )
    return pool


def open_redis(url: str) -> Redis:
    """A Redis client that gives up soon: everything in Redis may be missed for a moment."""
    pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
        url,
        socket_timeout=REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=REDIS_TIMEOUT_SECONDS,
        # A connection that Redis cut while it restarted is replaced, not taken for an absence.
        retry=Retry(NoBackoff(), 1),
        retry_on_error=[RedisConnectionError],
        health_check_interval=15,
        # A crowd waits its turn; a pool that refuses would look like a Redis that is away.
        max_connections=REDIS_CONNECTIONS_MAX,
        timeout=2 * REDIS_TIMEOUT_SECONDS,
    )
    client: Redis = Redis.from_pool(pool)
    return client


async def _run(
    settings: S, build: Callable[[App[S]], Awaitable[None]], stop: asyncio.Event
) -> None:
    pool = await _open_pool(settings)
    redis = open_redis(settings.redis_url)
    app = App(settings, pool=pool, redis=redis)
    try:
        await build(app)
        await app.live(stop)
    finally:
        for opened in reversed(app.pools):
            try:
                async with asyncio.timeout(LAST_STEPS_SECONDS):
                    await opened.close()
            except TimeoutError:
                opened.terminate()
        with contextlib.suppress(Exception):
            await redis.aclose()
        log.info("stopped")


async def _until_signal(settings: S, build: Callable[[App[S]], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await _run(settings, build, stop)


def run(settings_type: type[S], build: Callable[[App[S]], Awaitable[None]]) -> None:
    """Be the service: read settings, build the roles, live until SIGTERM, end the process.

    Exit status 0 after an orderly stop, 1 when a role failed, 2 when the settings are wrong; each
    wrong setting is one readable line. `--check-config` reads the settings and does no more.
    """
    try:
        settings = environment.read(settings_type)
    except SettingsWrong as wrong:
        for line in wrong.lines:
            sys.stderr.write(f"{line}\n")
        sys.exit(EXIT_SETTINGS)
    if "--check-config" in sys.argv[1:]:
        sys.exit(0)
    logging.configure(service=settings.service_name, level=settings.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
            loop.run(_until_signal(settings, build))
    except StartRefused as refusal:
        sys.stderr.write(f"{settings.service_name}: {refusal}\n")
        sys.exit(EXIT_FAILED)
    except Exception:
        log.exception("process_failed")
        sys.exit(EXIT_FAILED)
