"""Customers, salons and the merchant through the official SDK, with both of its clients."""

from __future__ import annotations

from uuid import uuid4

import pytest
from square.core.api_error import ApiError

from tests.e2e.chains import Chain, fresh_key, fresh_phone
from tests.sdk.members import earn, open_account
from tests.sdk.till import Till, codes_of, field_of

pytestmark = pytest.mark.stack


async def test_locations_and_the_merchant_are_the_chain(till: Till, chain: Chain) -> None:
    locations = (await till("locations.list")).locations
    merchant = (await till("merchants.get", merchant_id="me")).merchant

    assert [one.id for one in locations] == chain.told["location_ids"]
    assert (locations[0].timezone, locations[0].currency) == ("America/Toronto", "CAD")
    assert (merchant.id, merchant.country) == (chain.told["chain_id"], "CA")


async def test_customers_are_entered_changed_and_found(till: Till) -> None:
    """SQ-74: found by any part of the name, accents ignored, and by phone."""
    phone, name = fresh_phone(), f"Trémblay{uuid4().hex[:6]}"
    made = await till(
        "customers.create",
        given_name="Léa",
        family_name=name,
        phone_number=phone,
        idempotency_key=fresh_key(),
    )
    customer_id = made.customer.id
    changed = await till("customers.update", customer_id=customer_id, note="aime le thé")
    by_phone = await till("customers.search", query={"filter": {"phone_number": {"exact": phone}}})
    plain = name.lower().replace("é", "e")
    by_name = await till("customers.search", query={"filter": {"text": {"fuzzy": plain}}})

    assert (changed.customer.note, changed.customer.given_name) == ("aime le thé", "Léa")
    assert [one.id for one in by_phone.customers] == [customer_id]
    assert [one.id for one in by_name.customers] == [customer_id]


async def test_the_pager_lists_every_customer_once(till: Till) -> None:
    made = [
        (await till("customers.create", phone_number=fresh_phone())).customer.id for _ in range(5)
    ]
    listed = [one.id for one in await till.every("customers.list", limit=2)]

    assert set(made) <= set(listed)
    assert len(listed) == len(set(listed))


async def test_a_change_of_an_entry_that_another_changed_is_a_conflict(till: Till) -> None:
    made = (await till("customers.create", phone_number=fresh_phone())).customer
    await till("customers.update", customer_id=made.id, note="aime le thé")
    with pytest.raises(ApiError) as refused:
        await till("customers.update", customer_id=made.id, note="café", version=made.version)

    assert (refused.value.status_code, codes_of(refused.value)) == (409, ["CONFLICT"])
    assert field_of(refused.value) == "version"


async def test_a_customer_of_the_directory_gets_her_account(till: Till, chain: Chain) -> None:
    """A till that enters the customer first opens her account next, once."""
    phone = fresh_phone()
    customer = (await till("customers.create", given_name="Zoé", phone_number=phone)).customer
    account = await open_account(till, phone)
    assert account.customer_id == customer.id
    await earn(till, chain, account.id, 1)
    with pytest.raises(ApiError):
        await open_account(till, phone)


async def test_nobody_is_erased_by_a_word_less(till: Till) -> None:
    """What is not offered is refused with a reason, and nothing is deleted."""
    customer = (await till("customers.create", phone_number=fresh_phone())).customer
    with pytest.raises(ApiError) as refused:
        await till("customers.delete", customer_id=customer.id)
    with pytest.raises(ApiError) as unknown:
        await till("customers.delete", customer_id=fresh_key())

    assert refused.value.status_code == 400
    assert (unknown.value.status_code, codes_of(unknown.value)) == (404, ["NOT_FOUND"])
    assert (await till("customers.get", customer_id=customer.id)).customer.id == customer.id
