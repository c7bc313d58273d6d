"""The kinds of routes: those built in, and those of other packages. Each is imported where it is named."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from supervisor.routes.route import Route, RouteUnusable
from supervisor.routes.spec import RouteSpec

GROUP: Final = "stratd.routes"
BUILT_IN: Final = {
    "http": "supervisor.routes.http",
    "redis": "supervisor.routes.redis",
    "zmq": "supervisor.routes.zeromq",
}


def open_route(spec: RouteSpec) -> Route:
    """Return a route of the kind that ``spec`` names, not started. Raises ``RouteUnusable``."""
    if (module := BUILT_IN.get(spec.kind)) is not None:
        opener: Callable[[RouteSpec], Any] = import_module(module).open_route
        route: Route = opener(spec)
        return route
    return _offered(spec)


def _offered(spec: RouteSpec) -> Route:
    offers = {offer.name: offer for offer in entry_points(group=GROUP)}
    if spec.kind not in offers:
        allowed = ", ".join([*BUILT_IN, *sorted(offers)])
        raise RouteUnusable(f'kind "{spec.kind}": no such kind is installed; there are {allowed}')
    try:
        route: Route = offers[spec.kind].load()(spec)
    except RouteUnusable:
        raise
    except Exception as error:  # the wall around what others wrote; its text may hold a secret
        raise RouteUnusable(f'kind "{spec.kind}": it failed with {type(error).__name__}') from error
    return route
