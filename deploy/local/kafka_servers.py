"""Kafka for a machine without containers: the embedded broker, or Apache Kafka from its jars."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from deploy.local import ports, processes
from deploy.topics import DEAD_LETTERS, PARTITIONS, TOPICS

NAME = "kafka"
ROOT = Path(__file__).resolve().parent.parent.parent
POM = Path(__file__).resolve().parent / "kafka" / "pom.xml"
FETCH_SECONDS_MAX = 600
START_SECONDS_MAX = 90

PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.partitions={partitions}
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.hours=168
"""


class EngineMissing(Exception):
    """A tool that the wished engine needs is not on this machine."""


def bootstrap(port: int) -> str:
    """The address that services get."""
    return f"127.0.0.1:{port}"


def start_embedded(*, run: Path, log: Path, port: int) -> None:
    """Start the in-memory broker unless a broker runs."""
    if processes.alive(run, NAME):
        return
    topics = [f"--topic={topic}:{PARTITIONS}" for topic in TOPICS]
    topics += [f"--topic={topic}:1" for topic in DEAD_LETTERS]
    _start(
        [sys.executable, "-m", "deploy.local.broker", f"--port={port}", *topics],
        run=run,
        log=log,
        port=port,
    )


def start_apache(
    *, state: Path, jars: Path, run: Path, log: Path, port: int, controller_port: int
) -> None:
    """Start Apache Kafka in KRaft mode unless a broker runs; what it was told is kept on disk."""
    if processes.alive(run, NAME):
        return
    java = shutil.which("java")
    if java is None:
        raise EngineMissing("KAFKA=apache needs Java 17 or newer on the path")
    fetch(jars)
    state.mkdir(parents=True, exist_ok=True)
    data = state / "data"
    properties = state / "server.properties"
    properties.write_text(
        PROPERTIES.format(
            port=port, controller_port=controller_port, data=data, partitions=PARTITIONS
        )
    )
    command = [
        java,
        "-Xms128m",
        "-Xmx512m",
        "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{jars}/*",
    ]
    if not (data / "meta.properties").exists():
        _format(command, properties=properties, data=data, log=log)
    _start([*command, "kafka.Kafka", str(properties)], run=run, log=log, port=port)


def fetch(jars: Path) -> None:
    """Bring Kafka's jars from Maven's repository once for each version of the pom."""
    digest = hashlib.sha256(POM.read_bytes()).hexdigest()
    if (jars / digest).exists():
        return
    maven = shutil.which("mvn")
    if maven is None:
        raise EngineMissing("KAFKA=apache needs Maven (mvn) on the path to fetch Kafka's jars")
    shutil.rmtree(jars, ignore_errors=True)
    fetched = subprocess.run(
        [
            *(maven, "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"),
            f"-DoutputDirectory={jars}",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=FETCH_SECONDS_MAX,
    )
    if fetched.returncode != 0:
        raise EngineMissing(f"Maven did not fetch Kafka's jars:\n{fetched.stdout[-2000:]}")
    (jars / digest).touch()


def _format(command: list[str], *, properties: Path, data: Path, log: Path) -> None:
    """Give a new data folder its cluster id, as Kafka wants it before its first start."""
    shutil.rmtree(data, ignore_errors=True)
    cluster_id = "bWVjaGUtbG9jYWwta2Fma2E"
    formatted = subprocess.run(
        [*command, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties)],
        capture_output=True,
        text=True,
        check=False,
        timeout=START_SECONDS_MAX,
    )
    if formatted.returncode != 0:
        log.write_text(formatted.stdout + formatted.stderr)
        raise processes.StartFailed(f"kafka's storage was not formatted:\n{processes.tail(log)}")


def _start(command: list[str], *, run: Path, log: Path, port: int) -> None:
    process = processes.spawn(
        command,
        name=NAME,
        folder=run,
        log=log,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        port=port,
    )

    def settled() -> bool:
        return process.poll() is not None or accepts(port)

    up = processes.wait_until(settled, seconds=START_SECONDS_MAX, every=0.05)
    if not up or process.poll() is not None:
        processes.stop(run, NAME)
        raise processes.StartFailed(f"kafka did not start:\n{processes.tail(log)}")


def accepts(port: int) -> bool:
    """Whether something listens there."""
    if ports.is_free(port):
        return False
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False
