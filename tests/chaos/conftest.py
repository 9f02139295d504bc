"""What every test of this folder starts from."""

from __future__ import annotations

import pytest

from deploy.local.services import NAMES
from tests.chaos.tills import Chain, open_chain
from tests.stack import Stack


@pytest.fixture(scope="module")
async def chain(stack: Stack) -> Chain:
    """A chain of the module's own, opened when everybody is back from what was done before."""
    for name in NAMES:
        await stack.wait_ready(name)
    return await open_chain(stack.base_url, stack.operator_key)
