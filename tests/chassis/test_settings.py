"""Settings: complete and safe, or one readable line per fault."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from services.chassis import settings
from services.chassis.settings import LOCAL_SECRET_KEY, ServiceSettings, SettingsWrong

RIGHT = {
    "DATABASE_URL": "postgresql://points@127.0.0.1/points",
    "KAFKA_BOOTSTRAP": "127.0.0.1:9092",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "GRPC_PORT": "7001",
    "OPS_PORT": "8001",
    "PEER_ADDRESS": "127.0.0.1:7002",
}


class DemoSettings(ServiceSettings):
    service_name: ClassVar[str] = "demo"
    peer_address: str = Field(..., description="host:port of the peer")


class DoorSettings(ServiceSettings):
    service_name: ClassVar[str] = "door"
    engines: ClassVar[frozenset[settings.Engine]] = frozenset({"redis"})


def given(monkeypatch: pytest.MonkeyPatch, **values: str | None) -> None:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {**RIGHT, **values}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


def test_right_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch)
    found = settings.read(DemoSettings)
    assert (found.grpc_port, found.peer_address) == (7001, "127.0.0.1:7002")


def test_every_fault_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, PEER_ADDRESS=None, OPS_PORT="eighty", DRAIN_SECONDS="-1")

    with pytest.raises(SettingsWrong) as wrong:
        settings.read(DemoSettings)

    assert [line.split(":")[0] for line in wrong.value.lines] == [
        "DRAIN_SECONDS",
        "OPS_PORT",
        "PEER_ADDRESS",
    ]
    assert "host:port of the peer" in wrong.value.lines[2]


def test_missing_engines_are_named_and_unused_ones_are_not_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given(monkeypatch, DATABASE_URL=None, KAFKA_BOOTSTRAP=None, GRPC_PORT=None)

    with pytest.raises(SettingsWrong) as wrong:
        settings.read(DemoSettings)
    assert [line.split(":")[0] for line in wrong.value.lines] == [
        "DATABASE_URL",
        "GRPC_PORT",
        "KAFKA_BOOTSTRAP",
    ]
    assert settings.read(DoorSettings).redis_url == RIGHT["REDIS_URL"]


@pytest.mark.parametrize("secret", [LOCAL_SECRET_KEY, None, "short"])
def test_production_refuses_the_local_secret_and_a_short_one(
    monkeypatch: pytest.MonkeyPatch, secret: str | None
) -> None:
    given(monkeypatch, ENVIRONMENT="production", SECRET_KEY=secret)
    with pytest.raises(SettingsWrong, match="SECRET_KEY"):
        settings.read(DemoSettings)


def test_no_fault_repeats_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, SECRET_KEY="too-short-canary", GRPC_PORT="port-canary")
    with pytest.raises(SettingsWrong) as wrong:
        settings.read(DemoSettings)
    assert "canary" not in str(wrong.value)


def test_a_process_with_wrong_settings_ends_with_status_two_and_readable_lines() -> None:
    root = Path(__file__).resolve().parents[2]
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            "import asyncio\n"
            "from tests.chassis.test_settings import DemoSettings\n"
            "from services.chassis import runner\n"
            "runner.run(DemoSettings, lambda app: asyncio.sleep(0))",
        ],
        env={"PYTHONPATH": f"{root}{os.pathsep}{root / 'proto' / 'gen'}"},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert "OPS_PORT: Field required" in ended.stderr
    assert "Traceback" not in ended.stderr
