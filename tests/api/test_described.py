"""The API against its own description: whatever is sent, no answer is a failure of ours, and none is another than described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.api.conftest import served
from tests.api.live import running
from tests.town import Town

CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
EXAMPLES = 8


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The description of a town with a dossier, as its server gives it."""
    town = Town(tmp_path_factory.mktemp("described"))
    digest = town.assembled()
    change = town.dossier("show", digest)["predicate"]["change_digest"]
    town.gate()
    with running(served(town).app) as port:
        yield {"digest": digest, "change": change}, schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/api/v1/openapi.json")


def test_no_answer_is_another_than_described(described: Any) -> None:
    """Whatever fits the description or breaks it, about what is there and what is not: no 5xx; status, type and body are described."""
    real, schema = described
    operations = [r.ok() for r in schema.get_all_operations()]
    assert len(operations) > 35
    for operation in operations:
        if operation.path.endswith("/events"):
            continue  # never ends; test_live.py listens
        strategy = operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

        @hypothesis.given(strategy)
        @hypothesis.settings(
            max_examples=EXAMPLES,
            phases=[Phase.explicit, Phase.generate],
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def holds(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, timeout=60)
            there = {k: real[k] for k in case.path_parameters or {} if k in real}
            if there:
                case.path_parameters = {**case.path_parameters, **there}
                case.call_and_validate(checks=CHECKS, timeout=60)

        holds()
