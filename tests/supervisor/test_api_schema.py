"""The API held to its own document by schemathesis: whatever is sent, what comes back is what it says.

Requests are made of the document, right ones and wrong ones, and asked of the application over a daemon
without processes. Nothing may be answered with 500, with a status or a shape that is not in the document, or
with success where the request was wrong by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis.checks import (
    content_type_conformance,
    negative_data_rejection,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.feedback import FeedbackSources
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.python._constants.orchestrator import make_constants_value_source
from schemathesis.schemas import APIOperation, BaseSchema

from supervisor.api.app import Guards, build
from supervisor.api.caller import peer
from tests.supervisor.fake_daemon import FakeDaemon, make_row

schemathesis.openapi.media_type("application/zip", st.binary(max_size=1000))


@schemathesis.serializer("application/zip")
def raw(_context: object, value: object) -> object:
    return value if isinstance(value, bytes) else b"no archive"


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
"""Not ``positive_data_acceptance``: what is right by its shape may still be refused by a rule."""
CONFIG = SchemathesisConfig.from_dict(
    {
        # Who follows waits for what never comes here.
        "parameters": {"query.follow": False},
        # Nor is a key read here: who asks is the owner on the Unix socket, however wrong the key.
        "generation": {"with-security-parameters": False},
    }
)


def served() -> Any:
    """Return the application as the owner on the Unix socket finds it."""
    daemon = FakeDaemon()
    daemon.max_concurrent = 10_000
    for name in ("eurusd", "gold"):
        daemon.rows[name] = make_row(name)
    app = build(daemon, version="0.1.0", guards=Guards())

    async def asgi(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            scope = {**scope, "state": {"caller": peer("root", owner=True)}}
        await app(scope, receive, send)

    return asgi


@pytest.fixture(scope="module")
def document() -> BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", served(), config=CONFIG)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def is_as_documented(case: schemathesis.Case) -> None:
    case.validate_response(case.call(), checks=CHECKS)


def asked(operation: APIOperation) -> Callable[[], None]:
    """Return the test of one operation: what ``schema.parametrize()`` makes, but not before it is run.

    That makes each of them, with all its cases, where the module is collected: in every worker, some 5 s.
    """
    return build_operation_test(
        config=operation.schema.config,
        operation=operation,
        test_func=is_as_documented,
        given_kwargs={},
        feedback=FeedbackSources(constants_value_source=make_constants_value_source(operation.schema)),
    )


PARTS = 8
"""Of the operations, for as many processors."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_answer_is_what_the_document_says(part: int, document: BaseSchema):
    operations = [result.ok() for result in document.get_all_operations()]
    assert len(operations) > 2 * PARTS
    for operation in operations[part::PARTS]:
        asked(operation)()
