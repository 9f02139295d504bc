"""The operator's command line (D40): make a chain, set its plan, list all chains.

`python -m services.enrollment.operator create-chain --name "Salon Figaro" --owner-email …`, in the
environment of the service. The same use cases as behind the API; secrets are shown once, here.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from uuid import uuid4

from loyalty.enrollment.v1 import enrollment_pb2 as pb

from services.chassis import postgres, runner
from services.chassis import settings as environment
from services.chassis.clock import BusinessClock, SystemClock
from services.chassis.errors import KeyReused, Unavailable
from services.enrollment.domain.chains import Chain, Language, Plan
from services.enrollment.domain.errors import Refusal
from services.enrollment.domain.ids import ChainId, read_id
from services.enrollment.rpc import writing
from services.enrollment.settings import OperatorSettings
from services.enrollment.usecases import chains
from services.enrollment.usecases.deps import Deps, Request, make_deps

EXIT_REFUSED = 1
EXIT_SETTINGS = 2


def parser() -> argparse.ArgumentParser:
    """What may be typed."""
    top = argparse.ArgumentParser(prog="python -m services.enrollment.operator")
    commands = top.add_subparsers(dest="command", required=True)
    create = commands.add_parser("create-chain", help="a chain with its first salon and owner")
    create.add_argument("--name", required=True)
    create.add_argument("--owner-email", required=True)
    create.add_argument("--owner-name", default="")
    create.add_argument("--owner-password", default="", help="left out: a generated one")
    create.add_argument("--slug", default="", help="left out: made from the name")
    create.add_argument("--plan", choices=[*Plan], default=Plan.PARTANT.value)
    create.add_argument("--sandbox", action="store_true", help="with a clock of its own")
    create.add_argument("--home-time-zone", default="")
    create.add_argument("--currency", default="")
    create.add_argument("--language", choices=[*Language], default=Language.FR.value)
    create.add_argument("--brand-color", default="")
    create.add_argument("--salon-name", default="", help="left out: the chain's name")
    create.add_argument("--salon-address", default="")
    create.add_argument("--idempotency-key", default="", help="the same key makes no second chain")
    plan = commands.add_parser("set-plan", help="what a chain pays for")
    plan.add_argument("chain", help="id or web name")
    plan.add_argument("plan", choices=[*Plan])
    commands.add_parser("list-chains", help="all chains, oldest first")
    return top


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _line(chain: Chain) -> str:
    kind = "sandbox" if chain.sandbox else "live"
    return f"{chain.id}  {chain.slug}  {chain.plan}  {kind}  {chain.created_at:%Y-%m-%d}"


async def _create(deps: Deps, given: argparse.Namespace, *, public_url: str) -> None:
    written = await chains.create_chain(
        deps,
        chains.CreateChain(
            request=Request(
                key=given.idempotency_key or str(uuid4()),
                body=repr(sorted(vars(given).items())).encode(),
            ),
            name=given.name,
            slug=given.slug,
            plan=Plan(given.plan),
            sandbox=given.sandbox,
            home_time_zone=given.home_time_zone,
            currency=given.currency,
            language=Language(given.language),
            brand_color=given.brand_color,
            salon_name=given.salon_name,
            salon_address=given.salon_address,
            owner_email=given.owner_email,
            owner_name=given.owner_name,
            owner_password=given.owner_password,
        ),
        answer=writing.new_chain,
    )
    made = pb.CreateChainResponse.FromString(written)
    _write(f"chain_id: {made.chain.id}")
    _write(f"slug: {made.chain.slug}")
    _write(f"member_url: {public_url.rstrip('/')}/m/{made.chain.slug}")
    _write(f"salon_id: {made.salon.id}")
    _write(f"owner_email: {made.owner.email}")
    if made.owner_password:
        _write(f"owner_password: {made.owner_password}")
    _write(f"api_key: {made.api_key_token}")


async def _set_plan(deps: Deps, *, chain: str, plan: Plan) -> None:
    try:
        chain_id = ChainId(read_id(chain, field="chain"))
    except Refusal:
        found, _ = await chains.get_chain(deps, chain_id=None, slug=chain, include_logo=False)
        chain_id = found.id
    changed = await chains.set_plan(deps, chain_id=chain_id, plan=plan, actor=chains.OPERATOR)
    _write(_line(changed))


async def _list(deps: Deps) -> None:
    last: Chain | None = None
    while page := await chains.list_chains(deps, after=last):
        for chain in page:
            _write(_line(chain))
        last = page[-1]


async def _do(given: argparse.Namespace, settings: OperatorSettings) -> None:
    pool = await postgres.create_pool(settings.database_url, size_max=2, name="operator")
    redis = runner.open_redis(settings.redis_url)
    clock = BusinessClock(SystemClock(), pool)
    await clock.load()
    deps = make_deps(
        pool=pool, redis=redis, clock=clock, secret=settings.secret_key.get_secret_value()
    )
    try:
        if given.command == "create-chain":
            await _create(deps, given, public_url=settings.public_url)
        elif given.command == "set-plan":
            await _set_plan(deps, chain=given.chain, plan=Plan(given.plan))
        else:
            await _list(deps)
    finally:
        await deps.passwords.close()
        await redis.aclose()
        await pool.close()


def main(arguments: Sequence[str]) -> int:
    """Do what was typed; 0 when it is done, 1 when it was refused, 2 when settings are wrong."""
    given = parser().parse_args(arguments)
    try:
        settings = environment.read(OperatorSettings)
    except environment.SettingsWrong as wrong:
        sys.stderr.write("".join(f"{line}\n" for line in wrong.lines))
        return EXIT_SETTINGS
    try:
        asyncio.run(_do(given, settings))
    except (Refusal, KeyReused) as refusal:
        sys.stderr.write(f"refused: {refusal.code} {refusal.field}\n".replace(" \n", "\n"))
        return EXIT_REFUSED
    except Unavailable as fault:
        sys.stderr.write(f"unavailable: {fault}\n")
        return EXIT_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
