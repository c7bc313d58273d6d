"""How one route is set up, as everything under supervisor/routes reads it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class RouteSpec(Struct, frozen=True, kw_only=True):
    """``[routes.NAME]``; spans are seconds. ``url`` and ``key`` may be secret, so no text has them.

    ``timeout`` is for one question and its answer. An entry that was not taken within ``patience`` is
    rejected. ``poll_first`` to ``poll_most``: between two questions about an order that works. ``wait_first``
    to ``wait_most``: before trying again, doubled each time, and at random by up to ``wait_first`` more.
    After ``failures`` in a row the route is cut off for ``cool_down``. ``at_once``: questions under way at
    one time, and as many more for exits; ``most``: orders under way. ``options`` are for kinds of others.
    """

    name: str
    kind: str
    url: str = ""
    key: str = ""
    timeout: float = 3.0
    patience: float = 30.0
    poll_first: float = 0.25
    poll_most: float = 5.0
    wait_first: float = 0.1
    wait_most: float = 5.0
    failures: int = 5
    cool_down: float = 10.0
    at_once: int = 16
    most: int = 1_000
    options: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"RouteSpec({self.name}, {self.kind})"
