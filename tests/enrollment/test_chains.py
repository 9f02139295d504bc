"""Chains: made by an operator, found by their web name, changed by their owners."""

from __future__ import annotations

import grpc
import pytest
from loyalty.enrollment.v1 import enrollment_pb2 as pb
from loyalty.types.v1 import types_pb2

from services.enrollment.domain.credentials import SCOPES
from tests.enrollment.conftest import Neighbours
from tests.enrollment.house import House, key, new_email, refusal

OWNER = types_pb2.Actor(kind=types_pb2.Actor.KIND_STAFF, id="the-owner")
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


async def test_one_call_makes_chain_salon_owner_and_key_that_all_work(house: House) -> None:
    """D40: an operator makes a chain in one call."""
    email = new_email("owner")
    made = await house.call.CreateChain(
        pb.CreateChainRequest(
            idempotency_key=key(),
            name="Coiffure Élégance & Cie",
            plan=types_pb2.PLAN_PRO,
            sandbox=True,
            home_time_zone="America/Toronto",
            currency="CAD",
            language=types_pb2.LANGUAGE_FR,
            salon_name="Élégance Plateau",
            salon_address="123, rue Saint-Denis",
            owner_email=email,
            owner_name="Olivia",
        )
    )
    assert made.chain.slug.startswith("coiffure-elegance-cie")
    assert made.salon.time_zone == "America/Toronto"
    assert len(made.owner_password) >= 10
    assert list(made.api_key.scopes) == list(SCOPES)

    signed_in = await house.sign_in(email, made.owner_password)
    owner = await house.who(signed_in.session_token)
    assert (owner.chain_id, owner.role) == (made.chain.id, pb.Staff.ROLE_OWNER)
    till = await house.who(made.api_key_token)
    assert (till.chain_id, till.sandbox, till.chain_slug) == (
        made.chain.id,
        True,
        made.chain.slug,
    )
    assert made.api_key_token.startswith("mk_test_")


async def test_a_resend_makes_no_second_chain_and_shows_the_secrets_again(house: House) -> None:
    request = pb.CreateChainRequest(
        idempotency_key=key(), name="Deux fois", owner_email=new_email("owner")
    )
    first = await house.call.CreateChain(request)
    again = await house.call.CreateChain(request)
    assert again == first
    assert first.owner_password
    assert first.api_key_token
    count = await house.pool.fetchval("SELECT count(*) FROM chain WHERE name = 'Deux fois'")
    assert count == 1


async def test_stored_answers_and_tables_hold_no_secret_in_clear(house: House) -> None:
    made = await house.chain("Coffre")
    rows = await house.pool.fetch("SELECT answer FROM idempotency")
    stored = b"".join(row["answer"] for row in rows)
    assert made.api_key_token.encode() not in stored
    assert made.owner.email.encode() not in stored


async def test_a_key_used_for_another_chain_is_refused(house: House) -> None:
    request = pb.CreateChainRequest(
        idempotency_key=key(), name="Premier", owner_email=new_email("owner")
    )
    await house.call.CreateChain(request)
    request.name = "Second"
    refused = await refusal(house.call.CreateChain(request))
    assert refused.code == "IDEMPOTENCY_KEY_REUSED"


async def test_web_names_are_made_from_names_unique_and_never_reserved(house: House) -> None:
    first = await house.chain("Mèche Rebelle 75")
    second = await house.chain("Mèche Rebelle 75")
    reserved = await house.chain("Admin")
    signs = await house.chain("理髪店")
    assert first.chain.slug == "meche-rebelle-75"
    assert second.chain.slug == "meche-rebelle-75-2"
    assert reserved.chain.slug.startswith("admin-")
    assert signs.chain.slug.startswith("salon")


async def test_a_chosen_web_name_must_be_free_and_well_formed(house: House) -> None:
    made = await house.chain(slug="chez-bob-et-fils")
    assert made.chain.slug == "chez-bob-et-fils"
    taken = await refusal(house.chain(slug="Chez-Bob-et-Fils"))
    assert (taken.code, taken.field, taken.status) == (
        "slug_taken",
        "slug",
        grpc.StatusCode.ALREADY_EXISTS,
    )
    for slug in ("admin", "-a-b", "a", "é-à", "a" * 41, "a b", "a--b"):
        refused = await refusal(house.chain(slug=slug))
        assert refused.code == "slug_invalid", slug


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"name": "  "}, "name_invalid", "name"),
        ({"name": "x" * 81}, "name_invalid", "name"),
        ({"name": "a\x00b"}, "name_invalid", "name"),
        ({"home_time_zone": "Mars/Olympus"}, "time_zone_invalid", "home_time_zone"),
        ({"home_time_zone": "../../etc/passwd"}, "time_zone_invalid", "home_time_zone"),
        ({"currency": "ZZZ"}, "currency_invalid", "currency"),
        ({"brand_color": "red"}, "color_invalid", "brand_color"),
        ({"owner_email": "nobody"}, "email_invalid", "owner_email"),
        ({"owner_email": ""}, "email_invalid", "owner_email"),
        ({"owner_password": "short"}, "password_invalid", "owner_password"),
        ({"owner_password": "x" * 129}, "password_invalid", "owner_password"),
        ({"plan": 99}, "plan_invalid", "plan"),
        ({"language": 99}, "language_invalid", "language"),
    ],
)
async def test_a_wrong_field_makes_nothing(
    house: House, fields: dict[str, object], code: str, field: str
) -> None:
    before = await house.pool.fetchval("SELECT count(*) FROM chain")
    given = {"name": "Rien", **fields}
    refused = await refusal(house.chain(str(given.pop("name")), **given))
    assert (refused.code, refused.field) == (code, field)
    assert refused.status is grpc.StatusCode.INVALID_ARGUMENT
    assert await house.pool.fetchval("SELECT count(*) FROM chain") == before


async def test_an_owner_address_that_is_taken_undoes_everything(house: House) -> None:
    made = await house.chain("Un")
    refused = await refusal(house.chain("Deux seul", owner_email=made.owner.email.upper()))
    assert (refused.code, refused.field) == ("email_taken", "owner_email")
    count = await house.pool.fetchval("SELECT count(*) FROM chain WHERE name = 'Deux seul'")
    assert count == 0


async def test_a_chain_is_found_by_web_name_in_any_case(house: House) -> None:
    """LS-45: typed with capitals, it is the same address."""
    made = await house.chain("Typée à la main")
    found = await house.call.GetChain(pb.GetChainRequest(slug=made.chain.slug.upper()))
    assert found.chain == made.chain
    for request in (
        pb.GetChainRequest(slug="personne"),
        pb.GetChainRequest(chain_id=key()),
        pb.GetChainRequest(chain_id="not-an-id"),
        pb.GetChainRequest(slug="x" * 100_000),
        pb.GetChainRequest(),
    ):
        assert (await refusal(house.call.GetChain(request))).code == "not_found"


async def test_an_owner_changes_the_look_and_everybody_hears_the_newest_version(
    house: House,
) -> None:
    made = await house.chain("Avant")
    changed = await house.call.UpdateChain(
        pb.UpdateChainRequest(
            chain_id=made.chain.id,
            name="Après",
            brand_color="#A1B2C3",
            logo=PNG,
            logo_media_type="image/png",
            actor=OWNER,
        )
    )
    assert (changed.chain.name, changed.chain.brand_color) == ("Après", "#a1b2c3")
    assert changed.chain.slug == made.chain.slug
    assert changed.chain.version == 2
    with_logo = await house.call.GetChain(
        pb.GetChainRequest(chain_id=made.chain.id, include_logo=True)
    )
    assert with_logo.chain.logo == PNG
    assert changed.chain.logo == b""
    told = await house.events(made.chain.id, "chain.changed")
    assert [(event.payload.name, event.payload.version) for event in told] == [
        ("Avant", 1),
        ("Après", 2),
    ]
    assert ("chain.updated", "staff:the-owner", made.chain.id) in await house.audit(made.chain.id)

    same = await house.call.UpdateChain(
        pb.UpdateChainRequest(chain_id=made.chain.id, name="Après", actor=OWNER)
    )
    assert same.chain.version == 2
    assert len(await house.events(made.chain.id, "chain.changed")) == 2

    bare = await house.call.UpdateChain(pb.UpdateChainRequest(chain_id=made.chain.id, logo=b""))
    assert (bare.chain.logo_digest, bare.chain.logo_media_type) == ("", "")


@pytest.mark.parametrize(
    ("logo", "media_type"),
    [
        (b"<svg onload=alert(1)>", "image/svg+xml"),
        (b"<html>", "image/png"),
        (PNG, "image/webp"),
        (PNG + bytes(256 * 1024), "image/png"),
    ],
)
async def test_a_logo_is_a_small_png_or_webp(house: House, logo: bytes, media_type: str) -> None:
    made = await house.chain()
    refused = await refusal(
        house.call.UpdateChain(
            pb.UpdateChainRequest(chain_id=made.chain.id, logo=logo, logo_media_type=media_type)
        )
    )
    assert refused.code == "logo_invalid"


async def test_only_an_operator_call_sets_the_plan_and_it_is_told_and_audited(
    house: House,
) -> None:
    """D40."""
    made = await house.chain()
    assert made.chain.plan == types_pb2.PLAN_PARTANT
    operator = types_pb2.Actor(kind=types_pb2.Actor.KIND_OPERATOR, id="op")
    request = pb.SetPlanRequest(chain_id=made.chain.id, plan=types_pb2.PLAN_PRO, actor=operator)
    assert (await house.call.SetPlan(request)).chain.plan == types_pb2.PLAN_PRO
    await house.call.SetPlan(request)
    told = await house.events(made.chain.id, "chain.changed")
    assert [event.payload.plan for event in told] == [
        types_pb2.PLAN_PARTANT,
        types_pb2.PLAN_PRO,
    ]
    trail = await house.audit(made.chain.id)
    assert trail.count(("chain.plan_set", "operator:op", made.chain.id)) == 1
    refused = await refusal(house.call.SetPlan(pb.SetPlanRequest(chain_id=made.chain.id)))
    assert refused.code == "plan_invalid"


async def test_salons_have_zones_of_their_own_and_their_events_follow_the_chain(
    house: House,
) -> None:
    """D38: a salon without a zone takes the chain's home zone."""
    made = await house.chain(home_time_zone="America/Vancouver")
    request = pb.CreateSalonRequest(
        idempotency_key=key(), chain_id=made.chain.id, name="Halifax", actor=OWNER
    )
    salon = (await house.call.CreateSalon(request)).salon
    assert salon.time_zone == "America/Vancouver"
    assert (await house.call.CreateSalon(request)).salon == salon
    moved = await house.call.UpdateSalon(
        pb.UpdateSalonRequest(
            chain_id=made.chain.id,
            salon_id=salon.id,
            time_zone="America/Halifax",
            address="1 Quay",
            phone="902 555-0100",
            active=False,
            actor=OWNER,
        )
    )
    assert (moved.salon.time_zone, moved.salon.active, moved.salon.version) == (
        "America/Halifax",
        False,
        2,
    )
    listed = await house.call.ListSalons(pb.ListSalonsRequest(chain_id=made.chain.id))
    assert [it.name for it in listed.salons] == [made.salon.name, "Halifax"]
    told = await house.events(made.chain.id, "salon.changed")
    assert {event.key for event in told} == {made.chain.id}
    assert [(event.payload.salon_id, event.payload.version) for event in told] == [
        (made.salon.id, 1),
        (salon.id, 1),
        (salon.id, 2),
    ]
    wrong = await refusal(
        house.call.UpdateSalon(
            pb.UpdateSalonRequest(chain_id=made.chain.id, salon_id=salon.id, time_zone="Nowhere")
        )
    )
    assert (wrong.code, wrong.field) == ("time_zone_invalid", "time_zone")


async def test_charlie_sees_and_changes_no_salon_of_alices_chain(
    house: House, neighbours: Neighbours
) -> None:
    a, b = neighbours.a, neighbours.b
    listed = await house.call.ListSalons(pb.ListSalonsRequest(chain_id=b.chain.id))
    assert [it.id for it in listed.salons] == [b.salon.id]
    refused = await refusal(
        house.call.UpdateSalon(
            pb.UpdateSalonRequest(chain_id=b.chain.id, salon_id=a.salon.id, name="Pris")
        )
    )
    assert (refused.code, refused.status) == ("not_found", grpc.StatusCode.NOT_FOUND)
    unknown = await refusal(house.call.ListSalons(pb.ListSalonsRequest(chain_id=key())))
    assert unknown.code == "not_found"
