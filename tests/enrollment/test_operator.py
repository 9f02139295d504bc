"""The operator's command line (D40)."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from deploy.local.databases import DatabaseUrls
from tests.engines import ROOT
from tests.enrollment.house import PASSWORD, SECRET, House, key, new_email


@pytest.fixture
def environment(urls: DatabaseUrls, redis_url: str) -> dict[str, str]:
    """What the service's own process would be told."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "proto" / "gen")]),
        "DATABASE_URL": urls.service_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": SECRET,
        "PUBLIC_URL": "https://meche.example/",
    }


async def _operator(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.enrollment.operator",
        *arguments,
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_an_operator_makes_a_chain_whose_secrets_work(
    house: House, environment: dict[str, str]
) -> None:
    """D40."""
    email = new_email("owner")
    arguments = (
        "create-chain",
        "--name=Coupe & Cie",
        f"--owner-email={email}",
        "--plan=pro",
        "--sandbox",
        f"--idempotency-key={key()}",
    )
    status, out, err = await _operator(environment, *arguments)
    assert (status, err) == (0, "")
    shown = dict(line.split(": ", 1) for line in out.splitlines())
    assert shown["member_url"] == f"https://meche.example/m/{shown['slug']}"
    session = await house.sign_in(email, shown["owner_password"])
    assert session.staff.chain_id == shown["chain_id"]
    assert (await house.who(shown["api_key"])).sandbox
    assert await _operator(environment, *arguments) == (0, out, "")


async def test_an_operator_sets_a_plan_by_web_name_and_lists_chains(
    house: House, environment: dict[str, str]
) -> None:
    """D40."""
    made = await house.chain()
    status, out, _ = await _operator(environment, "set-plan", made.chain.slug, "essentiel")
    assert status == 0
    assert made.chain.id in out
    got = await house.call.GetChain(pb.GetChainRequest(chain_id=made.chain.id))
    assert got.chain.plan == types_pb2.PLAN_ESSENTIEL
    assert ("chain.plan_set", "operator:", made.chain.id) in await house.audit(made.chain.id)
    status, out, _ = await _operator(environment, "list-chains")
    assert status == 0
    (line,) = [line for line in out.splitlines() if made.chain.id in line]
    assert "essentiel" in line


async def test_refusals_and_wrong_settings_are_readable_lines(
    house: House, environment: dict[str, str]
) -> None:
    made = await house.chain()
    status, out, err = await _operator(
        environment,
        "create-chain",
        "--name=Encore",
        f"--owner-email={made.owner.email}",
        f"--owner-password={PASSWORD}",
    )
    assert (status, out, err) == (1, "", "refused: email_taken owner_email\n")
    status, _, err = await _operator(environment, "set-plan", "personne", "pro")
    assert (status, err) == (1, "refused: not_found slug\n")
    status, _, err = await _operator({**environment, "DATABASE_URL": ""}, "list-chains")
    assert status == 2
    assert err.startswith("DATABASE_URL: missing")
