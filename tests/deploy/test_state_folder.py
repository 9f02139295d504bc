"""Ports, secrets, certificates and wishes: what a checkout keeps from one start to the next."""

import contextlib
import ipaddress
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from deploy.local import certificate, databases, engines, ports, postgres_server, services
from deploy.local.layout import Layout, forget, open_layout
from deploy.local.wishes import APACHE, EMBEDDED, WishRefused, gather, remember


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    opened = open_layout(tmp_path / "state")
    yield opened
    forget(opened)


def test_ports_are_the_same_at_every_start(layout: Layout) -> None:
    first = {name: layout.ports().get(name) for name in ("postgres", "points.grpc")}
    assert {name: layout.ports().get(name) for name in first} == first
    assert len(set(first.values())) == 2


def test_two_checkouts_draw_different_ports(layout: Layout, tmp_path: Path) -> None:
    other = open_layout(tmp_path / "other")
    names = ("postgres", "redis", "kafka", "points.grpc", "points.ops")
    mine = {layout.ports().get(name) for name in names}
    with contextlib.ExitStack() as taken:
        # The first checkout runs: the second sees its ports in use.
        for port in mine:
            near = taken.enter_context(socket.socket())
            near.bind(("127.0.0.1", port))
            near.listen()
        assert mine.isdisjoint({other.ports().get(name) for name in names})
    forget(other)


def test_a_port_that_somebody_else_took_meanwhile_is_drawn_again(layout: Layout) -> None:
    wishes = gather(layout, {}, running=False)
    services.plan(layout, wishes)
    stolen = layout.ports().get("points.grpc")
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", stolen))
        thief.listen()
        services.plan(layout, wishes)
    assert layout.ports().get("points.grpc") != stolen


def test_secrets_are_made_once_and_only_their_owner_reads_them(layout: Layout) -> None:
    first = layout.secrets()
    assert layout.secrets() == first
    assert stat.S_IMODE((layout.folder / "secrets.json").stat().st_mode) == 0o600
    assert len(first.secret_key) >= 32


def test_the_plan_holds_secrets_and_only_its_owner_reads_it(layout: Layout) -> None:
    services.write_plan(layout, services.plan(layout, gather(layout, {}, running=False)))
    assert stat.S_IMODE(layout.plan.stat().st_mode) == 0o600


def test_the_front_door_opens_on_8080_unless_told_and_then_keeps_its_port(layout: Layout) -> None:
    assert gather(layout, {}, running=False).public_url == "http://127.0.0.1:8080"
    chosen = gather(layout, {"PORT": "9123"}, running=False)
    remember(layout, chosen)
    assert gather(layout, {}, running=False).port == 9123


def test_what_is_not_named_stays_as_it_runs(layout: Layout) -> None:
    """Goal: `make up` after a crash revives what ran, not something else."""
    remember(layout, gather(layout, {"KAFKA": APACHE, "PORT": "9123"}, running=False))
    assert gather(layout, {}, running=True).kafka == APACHE
    assert gather(layout, {}, running=False).kafka == EMBEDDED


def test_an_address_or_a_public_url_stays_while_the_platform_runs(layout: Layout) -> None:
    given = {"KAFKA_BOOTSTRAP": "elsewhere:9092", "PUBLIC_URL": "https://fidelite.example/"}
    first = gather(layout, given, running=False)
    remember(layout, first)
    assert first.public_url == "https://fidelite.example"
    assert gather(layout, {}, running=True) == first
    assert gather(layout, {"PORT": "9123"}, running=True).public_url == "http://127.0.0.1:9123"


@pytest.mark.parametrize("wish", [{"PORT": "http"}, {"PORT": "70000"}, {"KAFKA": "rabbit"}])
def test_a_wish_that_cannot_be_meant_is_refused(layout: Layout, wish: dict[str, str]) -> None:
    with pytest.raises(WishRefused):
        gather(layout, wish, running=False)


def test_an_engine_with_an_address_is_not_started(layout: Layout) -> None:
    given = {
        "POSTGRES_URL": "postgresql://somebody:secret@elsewhere:5432/postgres",
        "REDIS_URL": "redis://elsewhere:6379/0",
        "KAFKA_BOOTSTRAP": "elsewhere:9092",
    }
    wishes = gather(layout, given, running=False)
    assert engines.own(wishes) == ()
    assert engines.addresses(layout, wishes) == engines.Addresses(
        postgres_admin_url=given["POSTGRES_URL"],
        redis_url=given["REDIS_URL"],
        kafka_bootstrap=given["KAFKA_BOOTSTRAP"],
    )
    points = services.database_urls("points", layout, wishes)
    assert points.service_url.startswith("postgresql://points:")
    assert points.service_url.endswith("@elsewhere:5432/points")


def test_each_service_gets_its_own_role_and_nobody_the_administrator(layout: Layout) -> None:
    wishes = gather(layout, {}, running=False)
    admin = engines.addresses(layout, wishes).postgres_admin_url
    for name in services.NAMES:
        env = services.environment(name, layout, wishes)
        assert admin not in env.values()
        if name in databases.SERVICES:
            assert env["DATABASE_URL"].startswith(f"postgresql://{name}:")
        else:
            assert "DATABASE_URL" not in env
        assert ("OPERATOR_KEY" in env) == (name == services.GATEWAY)


def test_on_the_network_only_the_front_door_is_open_and_speaks_https(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAN_ADDRESS", "192.0.2.7")
    wishes = gather(layout, {"LAN": "1", "PORT": "9443"}, running=False)
    assert wishes.public_url == "https://192.0.2.7:9443"
    gateway = services.environment("gateway", layout, wishes)
    assert gateway["BIND_HOST"] == "0.0.0.0"
    assert gateway["TLS_CERT_FILE"].endswith("certificate.pem")
    assert services.environment("points", layout, wishes)["BIND_HOST"] == "127.0.0.1"


def test_the_certificate_covers_the_address_and_is_kept(tmp_path: Path) -> None:
    """Goal: a phone asks once whether it trusts this machine, not at every start."""
    certificate.ensure(tmp_path, "192.0.2.7")
    first = (tmp_path / "certificate.pem").read_bytes()
    certificate.ensure(tmp_path, "192.0.2.7")
    assert (tmp_path / "certificate.pem").read_bytes() == first
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600

    certificate.ensure(tmp_path, "192.0.2.8")
    second = x509.load_pem_x509_certificate((tmp_path / "certificate.pem").read_bytes())
    names = second.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert ipaddress.ip_address("192.0.2.8") in names.get_values_for_type(x509.IPAddress)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another user")
def test_data_of_a_closed_checkout_lies_where_the_unprivileged_user_can_go(tmp_path: Path) -> None:
    """Goal: `make up` works for root in /root."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    layout = open_layout(closed / "state")
    try:
        assert closed not in layout.data.parents
        assert all(parent.stat().st_mode & 0o001 for parent in layout.data.parents)
        assert postgres_server.reachable(postgres_server.binaries(layout.data))
        assert open_layout(closed / "state").data == layout.data
    finally:
        forget(layout)
    assert not layout.data.exists()


def test_a_port_in_use_is_seen(tmp_path: Path) -> None:
    port = ports.free_port()
    assert ports.is_free(port)
    with socket.socket() as near:
        near.bind(("127.0.0.1", port))
        near.listen()
        assert not ports.is_free(port)
