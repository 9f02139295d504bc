"""How much of everything: `make chaos` runs the full counts, `make test` a twentieth of them."""

from __future__ import annotations

import os

# Full counts may take their time, and look at what only shows after a while.
SCALE = float(os.environ.get("CHAOS_SCALE", "0.05"))
FULL = SCALE >= 1


def scaled(full: int, *, least: int = 1) -> int:
    """A full count, made smaller by CHAOS_SCALE."""
    return max(least, round(full * SCALE))


def show(what: str, **figures: object) -> None:
    """Print the figures of a test; `make chaos` shows them."""
    said = ", ".join(
        f"{name.replace('_', ' ')} {value:.1f}"
        if isinstance(value, float)
        else f"{name.replace('_', ' ')} {value}"
        for name, value in figures.items()
    )
    print(f"\n  {what}: {said}")
