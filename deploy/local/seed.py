"""The demo chain, told to the gateway over HTTP as any client would.

`python -m deploy.local.seed` or at the end of `make up`. Does nothing but refresh the addresses in
`demo.json` when the chain is there. Every call carries a fixed key, so that a seed that broke off
half-way goes on where it stopped.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from deploy.local import story
from deploy.local.layout import Layout, open_layout, write_private
from deploy.local.wishes import Wishes, current

TIMEOUT_SECONDS = 40
TRIES_MAX = 5
TRY_AGAIN_SECONDS = 1.0
# What a platform that has just started may still answer for a moment.
PASSING = {429, 502, 503, 504}


class SeedFailed(Exception):
    """The demo chain could not be made; the message says at which step and why."""


class Door:
    """The gateway's front door with one bearer key."""

    def __init__(self, layout: Layout, wishes: Wishes, token: str) -> None:
        scheme = "https" if wishes.lan else "http"
        certificate = layout.folder / "tls" / "certificate.pem"
        self._client = httpx.Client(
            base_url=f"{scheme}://127.0.0.1:{wishes.port}",
            headers={"Authorization": f"Bearer {token}"},
            verify=_trusted(certificate) if wishes.lan else True,
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    def __enter__(self) -> "Door":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """One call; what is busy for a moment is asked again, since every call may be repeated."""
        for attempt in range(1, TRIES_MAX + 1):
            answer = self._client.request(method, path, json=body)
            if answer.status_code not in PASSING or attempt == TRIES_MAX:
                return answer
            time.sleep(TRY_AGAIN_SECONDS * attempt)
        raise AssertionError("unreachable")

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call that must succeed."""
        answer = self.ask(method, path, body)
        if answer.status_code != httpx.codes.OK:
            raise SeedFailed(
                f"The demo chain is not complete: {method} {path} answered "
                f"{answer.status_code}: {answer.text[:500]}"
            )
        result: dict[str, Any] = answer.json()
        return result


def _trusted(certificate: Path) -> Any:
    import ssl

    return ssl.create_default_context(cafile=str(certificate))


def ensure(layout: Layout, wishes: Wishes, tell: Callable[[str], None]) -> None:
    """Make the demo chain unless it is there, and leave `demo.json` with today's addresses."""
    try:
        with Door(layout, wishes, layout.secrets().operator_key) as operator:
            known = operator.ask("GET", f"/v2/operator/chains/{story.SLUG}")
            if known.status_code == httpx.codes.OK and layout.demo.exists():
                _refresh(layout, wishes)
                return
            tell("telling the story of the demo chain")
            demo = _make_chain(operator, layout)
        with Door(layout, wishes, demo["api_key"]) as till:
            _tell_story(till, demo, started=_first_try(layout))
    except httpx.HTTPError as error:
        raise SeedFailed(f"The gateway did not answer: {error}") from error
    _write(layout, demo)
    tell("the demo chain is complete")


def _first_try(layout: Layout) -> datetime:
    """When the seed was first tried: a repeated call must say the same hours as the first."""
    note = layout.folder / "seeded-at"
    if not note.exists():
        note.write_text(datetime.now(UTC).replace(microsecond=0).isoformat())
    return datetime.fromisoformat(note.read_text())


def _make_chain(operator: Door, layout: Layout) -> dict[str, Any]:
    """The chain with its salons, owner, key, program and tablet, in one call."""
    answer = operator.ask(
        "POST",
        "/v2/operator/chains",
        {
            "idempotency_key": "demo-chain",
            "name": story.NAME,
            "slug": story.SLUG,
            "plan": "PRO",
            "sandbox": True,
            "home_time_zone": "America/Toronto",
            "currency": "CAD",
            "language": "fr",
            "brand_color": story.BRAND_COLOR,
            "salons": story.SALONS,
            "owner": {"email": story.OWNER_EMAIL, "name": story.OWNER_NAME},
            "program": {"name": story.PROGRAM["name"]},
        },
    )
    if answer.status_code != httpx.codes.OK:
        raise SeedFailed(
            f"The demo chain was not made: {answer.status_code} {answer.text[:500]}\n"
            f"If the chain is there and only {layout.demo} was lost, `make reset` starts afresh."
        )
    made: dict[str, Any] = answer.json()
    made["text_to_join"] = operator.call(
        "PUT",
        f"/v2/operator/chains/{made['chain_id']}/text-to-join",
        {"keyword": story.KEYWORD},
    )["text_to_join"]
    made["operator_key"] = layout.secrets().operator_key
    return made


def _tell_story(till: Door, demo: dict[str, Any], *, started: datetime) -> None:
    """Rewards, an offer, and members with what they earned, took and used."""
    program = till.call(
        "PUT",
        f"/v2/loyalty/programs/{demo['program_id']}",
        {"idempotency_key": "demo-program", "program": _program_without_ids(till, demo)},
    )["program"]
    tiers = {tier["points"]: tier["id"] for tier in program["reward_tiers"]}
    today = started.astimezone().date()
    till.call(
        "POST",
        "/v2/loyalty/offers",
        {
            "idempotency_key": "demo-offer",
            "offer": {
                **story.OFFER,
                "start_date": (today - timedelta(days=3)).isoformat(),
                "end_date": (today + timedelta(days=story.OFFER_DAYS)).isoformat(),
                "coupon_expiry_date": (today + timedelta(days=2 * story.OFFER_DAYS)).isoformat(),
                "shown_in_app": True,
            },
        },
    )
    for index, life in enumerate(story.MEMBERS):
        salon = demo["location_ids"][index % len(demo["location_ids"])]
        _live(till, life, key=f"demo-{index}", started=started, salon=salon, tiers=tiers)
        if life.agreed:
            text = {"from": life.phone, "to": demo["text_to_join"]["number"], "body": life.agreed}
            till.call(
                "POST", "/v2/sandbox/sms", {**text, "idempotency_key": f"demo-{index}-agreed"}
            )


def _program_without_ids(till: Door, demo: dict[str, Any]) -> dict[str, Any]:
    """The program as the story has it; definitions that a first try made are named by their id."""
    there = till.call("GET", f"/v2/loyalty/programs/{demo['program_id']}")["program"]
    known = {tier["points"]: tier["id"] for tier in there.get("reward_tiers", [])}
    wanted: list[dict[str, Any]] = [dict(tier) for tier in story.TIERS]
    for tier in wanted:
        if tier["points"] in known:
            tier["id"] = known[tier["points"]]
    return {**story.PROGRAM, "reward_tiers": wanted}


def _live(
    till: Door,
    life: story.Life,
    *,
    key: str,
    started: datetime,
    salon: str,
    tiers: dict[int, str],
) -> None:
    """One member's life at the salon, from her enrolment on."""
    account = till.call(
        "POST",
        "/v2/loyalty/accounts",
        {
            "idempotency_key": key,
            "loyalty_account": {
                "program_id": "main",
                "mapping": {"phone_number": life.phone},
                "enrolled_at": (started - timedelta(days=life.days_a_member)).isoformat(),
            },
        },
    )["loyalty_account"]
    about = {
        "given_name": life.given_name,
        "family_name": life.family_name,
        "language_code": life.language,
    }
    if life.birthday:
        about["birthday"] = life.birthday
    till.call("PUT", f"/v2/customers/{account['customer_id']}", about)
    path = f"/v2/loyalty/accounts/{account['id']}"
    if life.carried_over:
        adjustment = {"points": life.carried_over, "reason": "Points de la carte papier"}
        till.call(
            "POST", f"{path}/adjust", {"idempotency_key": f"{key}-c", "adjust_points": adjustment}
        )
    for hours in life.visits_hours_ago:
        visited = (started - timedelta(hours=hours)).isoformat()
        till.call(
            "POST",
            f"{path}/accumulate",
            {
                "idempotency_key": f"{key}-v{hours}",
                "location_id": salon,
                "accumulate_points": {"points": 1, "occurred_at": visited},
            },
        )
    for points, used in life.rewards:
        reward = till.call(
            "POST",
            "/v2/loyalty/rewards",
            {
                "idempotency_key": f"{key}-t{points}",
                "reward": {"loyalty_account_id": account["id"], "reward_tier_id": tiers[points]},
            },
        )["reward"]
        if used:
            till.call(
                "POST",
                f"/v2/loyalty/rewards/{reward['id']}/redeem",
                {"idempotency_key": f"{key}-u{points}", "location_id": salon},
            )


_NAMES = (
    *("base_url", "api_key", "chain_slug", "program_id", "location_ids", "owner", "member_url"),
    *("tablet_url", "points_code", "multi_point_code", "text_to_join", "operator_key"),
    "chain_id",
)


def _write(layout: Layout, demo: dict[str, Any]) -> None:
    """`demo.json` as api.md 3 has it. It opens the chain, so only its owner may read it."""
    kept = {name: demo[name] for name in _NAMES}
    kept["owner"] = {name: demo["owner"][name] for name in ("email", "password")}
    write_private(layout.demo, json.dumps(kept, indent=2, ensure_ascii=False) + "\n")


def _refresh(layout: Layout, wishes: Wishes) -> None:
    """Another PUBLIC_URL changes the addresses and nothing else."""
    demo = json.loads(layout.demo.read_text())
    before = demo["base_url"]
    if before == wishes.public_url:
        return
    for name in ("base_url", "member_url", "tablet_url"):
        demo[name] = wishes.public_url + demo[name].removeprefix(before)
    _write(layout, demo)


if __name__ == "__main__":
    chosen = open_layout(Path(os.environ["MECHE_STATE"]) if "MECHE_STATE" in os.environ else None)
    try:
        ensure(chosen, current(chosen), print)
    except SeedFailed as failure:
        sys.exit(str(failure))
