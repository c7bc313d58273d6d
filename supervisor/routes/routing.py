"""All routes of the daemon: each order to the courier of the route that it names.

A route that cannot be used is a problem that ``status`` shows, and costs nobody else anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import structlog

from supervisor.routes.route import RouteUnusable
from supervisor.routes.spec import RouteSpec
from supervisor.trading_control import OrderReport, RouteOrder

if TYPE_CHECKING:
    from supervisor.routes.courier import Courier, Note

log = structlog.get_logger()


class Routing:
    """``tell`` takes reports to the engine; ``problems`` are the daemon's."""

    def __init__(
        self,
        specs: Sequence[RouteSpec],
        tell: Callable[[OrderReport], None],
        note: Note,
        problems: dict[str, str],
    ) -> None:
        self._specs = specs
        self._tell = tell
        self._note = note
        self._problems = problems
        self._couriers: dict[str, Courier] = {}
        self._unusable: dict[str, str] = {}

    async def start(self) -> None:
        """Open every route that is configured. Never waits for the other end, never fails."""
        if not self._specs:
            return
        # Here, for who trades on paper does without an HTTP client: 16 MiB, and most of a second.
        from supervisor.routes.courier import Courier  # noqa: PLC0415
        from supervisor.routes.kinds import open_route  # noqa: PLC0415

        for spec in self._specs:
            try:
                courier = Courier(
                    spec,
                    open_route(spec),
                    tell=self._tell,
                    note=self._note,
                    problem=self._problem_of(spec.name),
                )
                await courier.start()
            except RouteUnusable as error:
                self._cannot(spec.name, str(error))
            except Exception as error:  # the wall around a kind of route; its text may hold a secret
                log.exception("route failed", route=spec.name)
                self._cannot(spec.name, f"it failed with {type(error).__name__}")
            else:
                self._couriers[spec.name] = courier

    async def stop(self) -> None:
        """Let go of every route; what is under way is asked for by the next daemon."""
        for courier in self._couriers.values():
            await courier.stop()

    def take(self, news: RouteOrder) -> None:
        """Carry an order by the route that it names. Never waits."""
        name = news.order.route
        if (courier := self._couriers.get(name)) is not None:
            courier.take(news)
            return
        why = self._unusable.get(name, f"there is no [routes.{name}], or it needs a restart of the daemon")
        order = news.order
        self._note(
            "order_not_routed", f"order {order.order_id} of {order.symbol}: {why}", order.deployment_id
        )
        self._tell(
            OrderReport(
                order_id=order.order_id,
                deployment_id=order.deployment_id,
                symbol=order.symbol,
                # What may have been sent before is in doubt, and stays so until somebody can ask for it.
                status="unknown" if news.again or news.cancel else "rejected",
                filled=order.filled,
                detail=why,
                at=time.time_ns(),
            )
        )

    def _problem_of(self, name: str) -> Callable[[str], None]:
        def tell(sentence: str) -> None:
            self._problems.pop(f"route {name}", None)
            if sentence:
                self._problems[f"route {name}"] = sentence

        return tell

    def _cannot(self, name: str, why: str) -> None:
        self._unusable[name] = f"the route {name} cannot be used: {why}"
        self._problems[f"route {name}"] = self._unusable[name]
        self._note("problem", self._unusable[name])
