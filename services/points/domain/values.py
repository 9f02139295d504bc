"""Dataclasses whose freezing the type checker sees to, for those that each earn makes.

At runtime a frozen one sets every field through `object.__setattr__`, which doubles its price; an
earn makes seventeen objects with a hundred fields. Elsewhere the standard library's own is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    T = TypeVar("T")

    def dataclass(
        *, slots: bool, kw_only: bool, frozen: bool = False
    ) -> Callable[[type[T]], type[T]]:
        """The standard library's, which is equal and hashed by its fields, but not guarded."""
        return dataclasses.dataclass(slots=slots, kw_only=kw_only, unsafe_hash=frozen)
