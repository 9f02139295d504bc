"""Signed and sealed texts: only we make them, each purpose for itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.signing import Sealer, Signer, Unsealable, new_token, token_digest

SECRET = "a secret of more than thirty-two characters"


@given(payload=st.binary(max_size=200))
def test_a_signed_text_gives_its_payload_back(payload: bytes) -> None:
    signer = Signer(SECRET, "qr")
    assert signer.verify(signer.sign(payload)) == payload


@given(payload=st.binary(min_size=1, max_size=60), place=st.integers(min_value=0), data=st.data())
def test_a_signed_text_with_one_character_changed_is_refused(
    payload: bytes, place: int, data: st.DataObject
) -> None:
    signer = Signer(SECRET, "qr")
    token = signer.sign(payload)
    at = place % len(token)
    other = data.draw(st.sampled_from("ABCxyz019-_ +/=é").filter(lambda c: c != token[at]))

    assert signer.verify(token[:at] + other + token[at + 1 :]) is None


def test_other_purposes_and_secrets_do_not_verify() -> None:
    token = Signer(SECRET, "qr").sign(b"x")
    assert Signer(SECRET, "session").verify(token) is None
    assert Signer(SECRET + "!", "qr").verify(token) is None
    assert Signer(SECRET, "qr").verify("") is None
    assert Signer(SECRET, "qr").verify("\ud800") is None


def test_a_sealed_text_opens_for_its_purpose_only() -> None:
    sealer = Sealer(SECRET, "points-code")
    sealed = sealer.seal(b"1234")

    assert sealer.open(sealed) == b"1234"
    assert sealer.seal(b"1234") != sealed
    assert b"1234" not in sealed
    for wrong in (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"", b"short", sealed[:12]):
        with pytest.raises(Unsealable):
            sealer.open(wrong)
    with pytest.raises(Unsealable):
        Sealer(SECRET, "other").open(sealed)


def test_tokens_differ_and_only_their_digest_need_be_kept() -> None:
    first, second = new_token("mk"), new_token("mk")
    assert first != second
    assert first.startswith("mk_")
    assert len(first) > 40
    assert token_digest(first) == token_digest(first) != token_digest(second)
    assert len(token_digest("\ud800")) == 32
