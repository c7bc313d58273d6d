"""One source for routes: both clients have the same methods, and each route of the API has one."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import pytest

from supervisor import schema
from supervisor.api.app import Guards, build
from supervisor.client import AsyncClient, Client, calls
from supervisor.client.call import Call
from supervisor.client.decoding import models, shape_of
from tests.supervisor.fake_daemon import FakeDaemon

OWN = {"ask", "lines", "follow", "place"}
"""What both have beside the routes."""
CLOSING = {"close", "aclose"}
LEFT_OUT = {
    "POST /api/v1/strategies/upload": "register does it, of a folder or a zip",
    "POST /api/v1/webhooks/{}": "for others, who have its path and no client",
    "GET /livez": "for a service manager; health says the same and the version",
    "GET /readyz": "for a load balancer: it goes by the status, and 503 is no problem document",
    "GET /metrics": "for Prometheus, in its own format",
    "GET /api/v1/metrics": "for Prometheus, in its own format",
    "POST /api/v1/deployments/{}/start": "start does it too",
    "GET /api/v1/deployments/{}/events": "events are numbered over all; follow(deployment_id=...) has them",
    "GET /api/v1/deployments/{}/signals": "signals(deployment_id)",
    "GET /api/v1/deployments/{}/orders": "orders(deployment_id=...)",
    "GET /api/v1/deployments/{}/trades": "trades(deployment_id=...)",
    "GET /api/v1/deployments/{}/positions": "positions(deployment_id=...)",
}


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def builds() -> dict[str, Callable[..., Call[Any]]]:
    """Every function that describes a request, by name."""
    found = {}
    for module in iter_modules(calls.__path__):
        for name, one in vars(import_module(f"{calls.__name__}.{module.name}")).items():
            if isinstance(one, types.FunctionType) and one.__module__ == f"{calls.__name__}.{module.name}":
                found |= {} if name.startswith("_") else {name: one}
    return found


def test_both_clients_have_the_same_methods_with_the_same_words():
    assert public(Client) - CLOSING == public(AsyncClient) - CLOSING
    assert public(Client) - CLOSING - OWN == set(builds())
    for name, build_one in builds().items():
        waiting, awaited = getattr(Client, name), getattr(AsyncClient, name)
        assert inspect.signature(waiting) == inspect.signature(awaited), name
        assert list(inspect.signature(waiting).parameters)[1:] == list(
            inspect.signature(build_one).parameters
        )
        assert (waiting.__name__, waiting.__doc__) == (name, build_one.__doc__)
        assert build_one.__doc__, name
    for name in ("__init__", "follow"):
        one, other = (inspect.signature(getattr(kind, name)) for kind in (Client, AsyncClient))
        assert one.parameters == other.parameters


def test_help_shows_a_method_as_it_is_called():
    shown = str(inspect.signature(Client.set_quota))
    assert shown.startswith("(self, /, deployment_id: 'str', *, memory: 'int | str | None' = None")
    assert shown.endswith("-> 'ChangeResult'")


@pytest.mark.parametrize("name", sorted(builds()))
def test_every_method_says_what_shape_its_answer_has(name):
    assert shape_of(builds()[name]) is not None


def test_no_two_models_have_one_name():
    # Annotations are resolved by name over all modules of the schema (decoding.models).
    for module in iter_modules(schema.__path__):
        for name, one in vars(import_module(f"{schema.__name__}.{module.name}")).items():
            if isinstance(one, type) and one.__module__.startswith(schema.__name__):
                assert models()[name] is one, name


def sample(annotation: Any) -> Any:
    """Return something of the type of a parameter."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)[0]
    for kind, value in ((str, "x"), (int, 1), (float, 1.0), (bool, True)):
        if annotation is kind:
            return value
    return {}


def described() -> Iterator[tuple[str, str]]:
    """Yield the method and path of what each function describes, with ``x`` and ``1`` for names."""
    for name, one in builds().items():
        hints = typing.get_type_hints(one, localns=models())
        needed = {
            parameter: "def f():\n    pass\n"
            if name in ("register", "replace_strategy", "validate_code") and parameter == "what"
            else sample(hints[parameter])
            for parameter, stated in inspect.signature(one).parameters.items()
            if stated.default is inspect.Parameter.empty
        }
        call = one(**needed)
        yield call.method, call.target.partition("?")[0]


def routes() -> set[str]:
    """Return the routes of the real application, ``METHOD /path`` with ``{}`` for what varies."""
    found = build(FakeDaemon(), version="0", guards=Guards()).openapi()["paths"]
    return {
        f"{method.upper()} {re.sub(r'{[^}]*}', '{}', path)}"
        for path, methods in found.items()
        for method in methods
        if path.startswith("/api/v1/") or path in ("/health", "/livez", "/readyz", "/metrics")
    }


def test_every_route_of_the_api_has_a_method_and_every_method_a_route():
    known = routes()
    answering = {
        route: re.compile(route.replace("{}", "[^/]+") + "$")
        for route in sorted(known, key=lambda one: one.count("{}"))
    }
    reached = {}
    for method, path in described():
        # The most literal route is the one that answers, as in the application.
        found = next(
            (route for route, pattern in answering.items() if pattern.match(f"{method} {path}")), None
        )
        assert found is not None, f"no route answers {method} {path}"
        reached[found] = path
    without = {route for route in known if route not in reached}
    assert without - set(LEFT_OUT) == set(), "these routes have no method, and no reason why"
    assert set(LEFT_OUT) & set(reached) == set(), "these have one all the same"
