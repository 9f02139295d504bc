"""Schemathesis over the served document: whatever it invents, no 5xx and no undocumented answer."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.e2e.chains import open_chain
from tests.e2e.document import furnish
from tests.stack import Stack

pytestmark = pytest.mark.stack

CASES_MIN = 1000
# Half a minute on a quiet machine; the end is there for one that is lost in work.
SECONDS_MAX = 240.0
EXAMPLES_PER_CALL = 24
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


@pytest.mark.timeout(400)
async def test_a_thousand_invented_requests_break_nothing(stack: Stack) -> None:
    """Reliability 13: at least 1,000 cases, positive and negative, with real and invented ids."""
    chain = await open_chain(stack)
    ids = await furnish(chain)
    schema = schemathesis.openapi.from_url(f"{stack.base_url}/openapi.json")
    seen: Counter[int] = Counter()
    end = time.monotonic() + SECONDS_MAX

    def try_out(operation: Any, *, key: str) -> None:
        @settings(
            max_examples=EXAMPLES_PER_CALL,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        )
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:
            if time.monotonic() > end:
                return
            for name, value in ids.items():
                # Half of the cases are about things that exist.
                if name in (case.path_parameters or {}) and sum(seen.values()) % 2:
                    case.path_parameters[name] = value
            response = case.call(headers={"Authorization": f"Bearer {key}"})
            seen[response.status_code] += 1
            case.validate_response(response, checks=CHECKS)

        one()

    for result in schema.get_all_operations():
        operation = result.ok()
        # Operators' calls make whole chains; a few of them are enough, and they have their tests.
        if operation.path.startswith("/v2/operator/"):
            continue
        try_out(operation, key=chain.api_key)

    assert sum(seen.values()) >= CASES_MIN, seen
    assert not [status for status in seen if status >= 500], seen
    assert seen[200] > 100, seen
