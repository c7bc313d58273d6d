"""The API held to its own document by schemathesis: whatever is sent, what comes back is what it says.

Requests are made of the document, right ones and wrong ones, and asked of the application over a daemon
without processes. Nothing may be answered with 500, with a status or a shape that is not in the document, or
with success where the request was wrong by it.
"""

from __future__ import annotations

from typing import Any

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


schema = schemathesis.openapi.from_asgi("/openapi.json", served(), config=CONFIG)


@schema.parametrize()
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_what_the_document_says(case):
    response = case.call()
    case.validate_response(response, checks=CHECKS)
