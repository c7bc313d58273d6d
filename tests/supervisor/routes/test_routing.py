"""All routes of a daemon: the one that an order names, or a sentence about why there is none."""

from __future__ import annotations

import asyncio
import importlib.metadata
import subprocess
import sys

import pytest
from msgspec.structs import replace

from supervisor.routes.kinds import open_route
from supervisor.routes.route import RouteUnusable
from supervisor.routes.routing import Routing
from supervisor.trading_control import OrderReport
from tests.supervisor.routes.gateway import Gateway
from tests.supervisor.routes.route_world import QUICK, FakeRoute, news, order
from tests.waiting import until


class Offer:
    """An entry point of an installed package."""

    name = "mine"

    def __init__(self, made: object) -> None:
        self._made = made

    def load(self):
        def opened(_spec):
            if isinstance(self._made, Exception):
                raise self._made
            return self._made

        return opened


def offer(monkeypatch, made: object) -> None:
    monkeypatch.setattr("supervisor.routes.kinds.entry_points", lambda group: [Offer(made)])


def told_by(specs, scenario) -> tuple[list[OrderReport], dict[str, str]]:
    reports: list[OrderReport] = []
    problems: dict[str, str] = {}

    async def run() -> None:
        routing = Routing(specs, reports.append, tell_nobody, problems)
        await routing.start()
        try:
            await scenario(routing, reports)
        finally:
            await routing.stop()

    def tell_nobody(kind: str, detail: str = "", deployment_id: str = "") -> None: ...

    asyncio.run(run())
    return reports, problems


def test_an_order_by_a_route_that_there_is_not_is_rejected_and_one_in_doubt_stays_so():
    async def scenario(routing, _reports):
        routing.take(news(order()))
        routing.take(news(order("o2"), again=True))
        routing.take(news(order("o3"), cancel=True))

    reports, _ = told_by([], scenario)
    assert ["rejected", "unknown", "unknown"] == [one.status for one in reports]
    assert "there is no [routes.gateway], or it needs a restart of the daemon" == reports[0].detail


def test_a_route_that_cannot_be_opened_is_a_problem_and_the_others_work(monkeypatch):
    route = FakeRoute()
    offer(monkeypatch, route)

    async def scenario(routing, reports):
        routing.take(news(order()))
        routing.take(news(order("o2", route="good")))

        async def there():
            return [one.order_id for one in reports if one.status == "working"] == ["o2"]

        await until(there, what="the order by the good route")

    reports, problems = told_by(
        [replace(QUICK, kind="nsuch"), replace(QUICK, name="good", kind="mine")], scenario
    )
    assert "rejected" == reports[0].status
    why = 'kind "nsuch": no such kind is installed; there are http, redis, zmq, mine'
    assert {"route gateway": f"the route gateway cannot be used: {why}"} == problems
    assert route.closed


def test_a_kind_that_fails_to_open_is_told_without_its_text(monkeypatch):
    offer(monkeypatch, ValueError("hunter2"))
    with pytest.raises(RouteUnusable) as caught:
        open_route(replace(QUICK, kind="mine"))
    assert 'kind "mine": it failed with ValueError' == str(caught.value)


def test_packages_are_asked_for_kinds_by_the_documented_group():
    assert [] == list(importlib.metadata.entry_points(group="stratd.routes"))
    with pytest.raises(RouteUnusable, match=r"there are http, redis, zmq$"):
        open_route(replace(QUICK, kind="mine"))


@pytest.mark.system
def test_an_order_reaches_a_real_gateway_by_its_name():
    async def scenario(routing, reports):
        routing.take(news(order()))

        async def there():
            return [one.status for one in reports] == ["working"]

        await until(there, what="an answer of the gateway")

    async def run() -> None:
        gateway = Gateway()
        await gateway.start()
        reports: list[OrderReport] = []
        routing = Routing([replace(QUICK, url=gateway.url)], reports.append, lambda *_: None, {})
        await routing.start()
        await scenario(routing, reports)
        await routing.stop()
        await gateway.stop()
        assert {"o1": 1} == dict(gateway.venue.taken)

    asyncio.run(run())


@pytest.mark.system
def test_who_trades_on_paper_loads_no_client():
    code = "import sys, supervisor.daemon; print(*({'httpx2', 'stamina', 'redis'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert "" == done.stdout.strip()
