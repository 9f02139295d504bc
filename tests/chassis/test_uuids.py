"""The driver's UUIDs are UUIDs."""

from __future__ import annotations

import uuid

import pytest

from services.chassis.uuids import uuid_from, uuid_of


def test_they_are_equal_to_the_standard_librarys_in_all_that_we_use() -> None:
    for _ in range(100):
        ours, theirs = uuid.uuid4(), uuid.uuid4()
        same = uuid_of(str(ours))
        assert isinstance(same, uuid.UUID)
        assert same == ours == uuid_from(ours.bytes)
        assert (str(same), same.bytes, hash(same)) == (str(ours), ours.bytes, hash(ours))
        assert {ours: 1}[same] == {same: 1}[ours] == 1
        assert (same < theirs) == (ours < theirs)
        assert uuid.uuid5(same, "side") == uuid.uuid5(ours, "side")


@pytest.mark.parametrize(
    "text", ["", "x" * 36, "{12345678-1234-1234-1234-123456789012}", "1" * 33, "é" * 32]
)
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        uuid_of(text)


@pytest.mark.parametrize("length", [0, 15, 17])
def test_so_are_too_few_or_too_many_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        uuid_from(b"1" * length)
