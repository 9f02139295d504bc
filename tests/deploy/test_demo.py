"""The demo chain that `make up` leaves behind (api.md 3), and how often it may be told."""

import dataclasses
import json
import shutil
import stat
from pathlib import Path

import httpx
import pytest

from deploy.local import launch, seed, services, story
from deploy.local.layout import Layout
from deploy.local.wishes import current
from tests.stack import Stack

pytestmark = pytest.mark.stack

PROMISED = {
    *("base_url", "api_key", "chain_slug", "program_id", "location_ids", "owner", "member_url"),
    *("tablet_url", "points_code", "multi_point_code", "text_to_join", "operator_key"),
}


@pytest.fixture
def beside(stack: Stack, tmp_path: Path) -> Layout:
    """The same platform seen from another state folder, so that nobody's demo.json is touched."""
    for name in ("secrets.json", "ports.json", "seeded-at"):
        shutil.copy(stack.layout.folder / name, tmp_path / name)
    shutil.copytree(stack.layout.run / "plan", tmp_path / "run" / "plan")
    return dataclasses.replace(stack.layout, folder=tmp_path)


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_demo_json_holds_what_a_client_needs_and_only_its_owner_reads_it(stack: Stack) -> None:
    assert set(stack.demo) >= PROMISED
    assert set(stack.demo["owner"]) == {"email", "password"}
    assert set(stack.demo["text_to_join"]) == {"number", "keyword"}
    assert stat.S_IMODE(stack.layout.demo.stat().st_mode) == 0o600


async def test_the_demo_is_a_sandbox_on_pro_in_toronto_time_with_a_life_of_its_own(
    stack: Stack,
) -> None:
    async with httpx.AsyncClient(
        base_url=stack.base_url, headers=_as(stack.demo["api_key"]), timeout=30
    ) as client:
        merchant = (await client.get("/v2/merchants")).json()["merchant"][0]
        program = (await client.get("/v2/loyalty/programs/main")).json()["program"]
        phones = [{"phone_number": life.phone} for life in story.MEMBERS]
        found = await client.post(
            "/v2/loyalty/accounts/search", json={"query": {"mappings": phones}}
        )
        offers = (await client.get("/v2/loyalty/offers?visible_only=true")).json()["offers"]
    assert merchant["business_name"] == "Salon Léonie"
    assert (merchant["plan"], merchant["sandbox"]) == ("PRO", True)
    assert (merchant["timezone"], merchant["currency"]) == ("America/Toronto", "CAD")
    assert program["name"] == "Vos points"
    assert [tier["points"] for tier in program["reward_tiers"]] == [5, 10, 20]
    assert len(stack.demo["location_ids"]) == 3
    accounts = found.json()["loyalty_accounts"]
    assert len(accounts) == len(story.MEMBERS)
    assert all(account["balance"] > 0 for account in accounts)
    assert [offer["title"] for offer in offers] == [story.OFFER["title"]]


async def test_the_doors_that_make_up_prints_open(stack: Stack) -> None:
    async with httpx.AsyncClient(
        timeout=30, follow_redirects=True, headers={"Accept": "text/html"}
    ) as client:
        for door in (stack.demo["member_url"], stack.demo["tablet_url"], stack.base_url + "/admin"):
            assert (await client.get(door)).status_code == 200, door


def test_a_lost_demo_json_is_found_again_without_a_second_chain(
    stack: Stack, beside: Layout
) -> None:
    """Goal: every call of the seed is repeatable, so a seed that broke off goes on."""
    seed.ensure(beside, current(beside), lambda _: None)
    assert json.loads(beside.demo.read_text()) == stack.demo


def test_another_public_url_changes_the_addresses_and_nothing_else(
    stack: Stack, beside: Layout
) -> None:
    shutil.copy(stack.layout.demo, beside.demo)
    moved = dataclasses.replace(current(beside), public_url="https://fidelite.example")
    seed.ensure(beside, moved, lambda _: None)
    demo = json.loads(beside.demo.read_text())
    assert demo["member_url"] == "https://fidelite.example/m/leonie"
    assert demo["tablet_url"].startswith("https://fidelite.example/t/")
    kept = PROMISED - {"base_url", "member_url", "tablet_url"}
    assert {name: demo[name] for name in kept} == {name: stack.demo[name] for name in kept}


async def test_every_service_tells_of_itself(stack: Stack) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        for name in services.NAMES:
            for path in ("/healthz", "/readyz", "/metrics", "/version"):
                answer = await client.get(stack.ops_url(name) + path)
                assert answer.status_code == 200, f"{name} {path}"


@pytest.mark.chaos
def test_coming_up_again_leaves_what_runs_alone(stack: Stack) -> None:
    """Goal: `make up` on a running platform starts nothing twice.

    Runs alone: had somebody changed the code meanwhile, the services would rightly be replaced.
    """
    before = {name: stack.pid(name) for name in services.NAMES}
    told: list[str] = []
    launch.up(stack.layout, current(stack.layout), told.append)
    assert {name: stack.pid(name) for name in services.NAMES} == before
    assert "postgres runs already" in told
