"""Pictures of offers and last year's offers through `/v2`, on the whole platform."""

from __future__ import annotations

import base64
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.e2e.chains import Chain, fresh_key, key_with

pytestmark = pytest.mark.stack


def photo(kind: str = "JPEG", size: tuple[int, int] = (1600, 900), color: str = "#b4446c") -> str:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, format=kind)
    return base64.b64encode(out.getvalue()).decode()


async def an_offer(client: httpx.AsyncClient, **words: Any) -> dict[str, Any]:
    offer = {
        "title": "Deux soins pour un",
        "start_date": "2020-02-29",
        "end_date": "2098-12-31",
        "coupon_expiry_date": "2098-12-31",
        **words,
    }
    answer = await client.post(
        "/v2/loyalty/offers", json={"idempotency_key": fresh_key(), "offer": offer}
    )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["offer"]
    return found


async def set_image(client: httpx.AsyncClient, offer_id: str, image: str) -> httpx.Response:
    return await client.put(f"/v2/loyalty/offers/{offer_id}/image", json={"image": image})


async def test_a_picture_is_drawn_anew_and_anybody_may_keep_it(client: httpx.AsyncClient) -> None:
    """LS-56: WebP of 800 pixels at most, immutable, with its fixed type and nosniff."""
    offer = await an_offer(client)
    assert "image_url" not in offer
    answer = await set_image(client, offer["id"], photo())
    assert answer.status_code == 200, answer.text
    url = answer.json()["offer"]["image_url"]

    async with httpx.AsyncClient() as anybody:
        served = await anybody.get(f"{client.base_url}{httpx.URL(url).path}")

    assert served.status_code == 200
    assert served.headers["content-type"] == "image/webp"
    assert served.headers["x-content-type-options"] == "nosniff"
    assert "immutable" in served.headers["cache-control"]
    assert Image.open(io.BytesIO(served.content)).size == (800, 450)
    gone = await client.delete(f"/v2/loyalty/offers/{offer['id']}/image")
    assert "image_url" not in gone.json()["offer"]


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (base64.b64encode(b"<svg onload='alert(1)'/>").decode(), "INVALID_VALUE"),
        (base64.b64encode(b"<html>").decode(), "INVALID_VALUE"),
        ("not base64 at all!", "INVALID_VALUE"),
        ("é", "INVALID_VALUE"),
        (base64.b64encode(b"x" * 5_242_881).decode(), "VALUE_TOO_LONG"),
        (photo("PNG", (4001, 4001)), "VALUE_TOO_LONG"),
        ("x" * 8_000_000, "VALUE_TOO_LONG"),
        ("", "VALUE_EMPTY"),
        (7, "EXPECTED_STRING"),
    ],
)
async def test_what_is_no_picture_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, image: Any, code: str
) -> None:
    """LS-56, reliability 2 number 15."""
    offer = await an_offer(client)
    answer = await set_image(client, offer["id"], image)
    assert answer.status_code in {400, 413}, answer.text
    told = answer.json()["errors"][0]
    assert told["code"] in {code, "REQUEST_ENTITY_TOO_LARGE", "VALUE_TOO_SHORT"}, told
    seen = await client.get(f"/v2/loyalty/offers/{offer['id']}")
    assert "image_url" not in seen.json()["offer"]


async def test_last_years_offer_again(client: httpx.AsyncClient) -> None:
    """LS-62: once by its key, a year later, with its picture."""
    offer = await an_offer(client)
    await set_image(client, offer["id"], photo(color="#204060"))
    body = {"idempotency_key": fresh_key()}
    first = await client.post(f"/v2/loyalty/offers/{offer['id']}/duplicate", json=body)
    again = await client.post(f"/v2/loyalty/offers/{offer['id']}/duplicate", json=body)
    copy = first.json()["offer"]
    assert again.json()["offer"]["id"] == copy["id"] != offer["id"]
    assert (copy["start_date"], copy["end_date"]) == ("2021-02-28", "2099-12-31")
    assert copy["image_url"].endswith(
        (await client.get(f"/v2/loyalty/offers/{offer['id']}"))
        .json()["offer"]["image_url"]
        .rpartition("/")[2]
    )


async def test_charlie_neither_sees_nor_changes_alices_pictures(
    client: httpx.AsyncClient, charlies: Chain
) -> None:
    """LS-56, LS-62: what is another chain's is not found; a key that may only read changes none."""
    offer = await an_offer(client)
    url = (await set_image(client, offer["id"], photo())).json()["offer"]["image_url"]
    path = httpx.URL(url).path
    async with charlies.client() as charlie:
        assert (await set_image(charlie, offer["id"], photo())).status_code == 404
        gone = await charlie.delete(f"/v2/loyalty/offers/{offer['id']}/image")
        copied = await charlie.post(
            f"/v2/loyalty/offers/{offer['id']}/duplicate", json={"idempotency_key": fresh_key()}
        )
        assert (gone.status_code, copied.status_code) == (404, 404)
        slug = charlies.told["chain_slug"]
        strange = path.replace(path.split("/")[2], slug, 1)
        assert (await charlie.get(strange)).status_code == 404
    reader = await key_with(charlies, "LOYALTY_READ")
    async with charlies.client(reader) as other:
        assert (await set_image(other, offer["id"], photo())).status_code == 403
