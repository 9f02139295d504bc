"""The embedded Kafka broker: librdkafka's in-memory mock cluster behind a fixed port.

Runs as a process of its own: `python -m deploy.local.broker --port 19092 --topic a:3`.
The mock listens on a port of its own choice, so a small proxy holds the fixed port and the mock
is told to advertise it; a client finds the broker again after a restart. Everything is lost when
the process ends, and a partition drops its oldest messages beyond 5 MiB without a word
(docs/decisions/0002-embedded-engines.md). SIGUSR1 cuts the broker off, SIGUSR2 brings it back
with what it had.
"""

import argparse
import asyncio
import contextlib
import ctypes
import glob
import importlib.util
import signal
import sys
from pathlib import Path

PRODUCER = 0
CHUNK_BYTES = 65_536


def _library() -> ctypes.CDLL:
    """librdkafka as the confluent-kafka wheel carries it."""
    spec = importlib.util.find_spec("confluent_kafka")
    if spec is None or spec.origin is None:
        raise RuntimeError("confluent-kafka is not installed: the embedded broker comes from it")
    site = Path(spec.origin).parent.parent
    found = glob.glob(str(site / "confluent_kafka.libs" / "librdkafka*"))
    found += glob.glob(str(site / "confluent_kafka" / ".dylibs" / "librdkafka*"))
    if not found:
        raise RuntimeError("this build of confluent-kafka carries no librdkafka")
    library = ctypes.CDLL(found[0])
    library.rd_kafka_conf_new.restype = ctypes.c_void_p
    library.rd_kafka_new.restype = ctypes.c_void_p
    library.rd_kafka_new.argtypes = [
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    library.rd_kafka_mock_cluster_new.restype = ctypes.c_void_p
    library.rd_kafka_mock_cluster_new.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
    library.rd_kafka_mock_cluster_bootstraps.argtypes = [ctypes.c_void_p]
    library.rd_kafka_mock_topic_create.argtypes = [
        ctypes.c_void_p,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_int,
    ]
    library.rd_kafka_mock_broker_set_host_port.restype = None
    library.rd_kafka_mock_broker_set_host_port.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int32,
        ctypes.c_char_p,
        ctypes.c_int,
    ]
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.restype = None
    library.rd_kafka_mock_group_initial_rebalance_delay_ms.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int32,
    ]
    return library


def start_mock(*, port: int, topics: dict[str, int]) -> int:
    """Start the in-memory cluster, advertise `port`, and return the port it really listens on."""
    library = _library()
    error = ctypes.create_string_buffer(512)
    handle = library.rd_kafka_new(PRODUCER, library.rd_kafka_conf_new(), error, len(error))
    if not handle:
        raise RuntimeError(error.value.decode())
    cluster = library.rd_kafka_mock_cluster_new(handle, 1)
    if not cluster:
        raise RuntimeError("librdkafka made no mock cluster")
    real_port = int(library.rd_kafka_mock_cluster_bootstraps(cluster).decode().rsplit(":", 1)[1])
    library.rd_kafka_mock_broker_set_host_port(cluster, 1, b"127.0.0.1", port)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    for topic, partitions in topics.items():
        library.rd_kafka_mock_topic_create(cluster, topic.encode(), partitions, 1)
    return real_port


class Proxy:
    """Carries bytes between the fixed port and the mock, and can be cut off."""

    def __init__(self, *, port: int, real_port: int) -> None:
        self._port = port
        self._real_port = real_port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def up(self) -> None:
        """Listen; doing it twice changes nothing."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def down(self) -> None:
        """Refuse new connections and cut those that are open. The mock keeps what it has."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self._connections):
            connection.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a connection is served by a task")
        self._connections.add(task)
        far_writer: asyncio.StreamWriter | None = None
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._real_port)
            async with asyncio.TaskGroup() as both:
                both.create_task(_carry(reader, far_writer))
                both.create_task(_carry(far_reader, writer))
        except (OSError, ExceptionGroup, asyncio.CancelledError):
            # Any end of a connection ends here: a client that left, a cut, or our own stop.
            pass
        finally:
            self._connections.discard(task)
            for end in (writer, far_writer):
                if end is not None:
                    with contextlib.suppress(OSError):
                        end.transport.abort()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until the sender closes; then end the pair."""
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    raise ConnectionResetError("closed by its sender")


async def run(*, port: int, topics: dict[str, int]) -> None:
    """Serve until SIGTERM or SIGINT."""
    proxy = Proxy(port=port, real_port=start_mock(port=port, topics=topics))
    await proxy.up()
    print(f"embedded broker ready on 127.0.0.1:{port}", flush=True)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    pending: set[asyncio.Task[None]] = set()

    def soon(step: str) -> None:
        task = loop.create_task(proxy.down() if step == "down" else proxy.up())
        pending.add(task)
        task.add_done_callback(pending.discard)

    loop.add_signal_handler(signal.SIGUSR1, soon, "down")
    loop.add_signal_handler(signal.SIGUSR2, soon, "up")
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, ended.set)
    await ended.wait()
    await proxy.down()


def main(arguments: list[str]) -> None:
    """Command line of the broker process."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.broker")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--topic", action="append", default=[], metavar="NAME:PARTITIONS")
    options = parser.parse_args(arguments)
    pairs = [topic.rpartition(":") for topic in options.topic]
    asyncio.run(run(port=options.port, topics={name: int(count) for name, _, count in pairs}))


if __name__ == "__main__":
    main(sys.argv[1:])
