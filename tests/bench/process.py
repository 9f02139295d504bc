"""Measurements that want a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from deploy.local.layout import ROOT


def child(
    module: str, orders: Mapping[str, Any], env: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What a module says when it is given these orders."""
    # Unbuffered, Python does not write on where a pipe has taken a part.
    buffered = {
        name: value
        for name, value in (os.environ if env is None else env).items()
        if name != "PYTHONUNBUFFERED"
    }
    ended = subprocess.run(
        [sys.executable, "-m", module],
        input=json.dumps(orders),
        env=buffered,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{ended.stderr}")
    said: dict[str, Any] = json.loads(ended.stdout)
    return said
