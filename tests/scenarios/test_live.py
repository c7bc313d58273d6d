"""A live deployment against a real gateway: from its strategy to the books, over every death between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.scenarios.holding import BUYS, held, pump, rows
from tests.scenarios.rig import Daemon, Feed, Site
from tests.supervisor.routes.gateway import Gateway
from tests.waiting import wait_until

pytestmark = pytest.mark.system


class Threaded:
    """A gateway on a loop of its own."""

    def __init__(self) -> None:
        self.gateway = Gateway(key="the gateway's key")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Gateway:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.gateway.start(), self._loop).result(60)
        return self.gateway

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.gateway.stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Threaded() as one:
        yield one


@pytest.fixture
def site(new_site: Callable[..., Site], gateway: Gateway) -> Site:
    one = new_site(
        live={"enabled": True},
        accounts={"fund": {"live": True, "route": "gateway"}},
        routes={"gateway": {"kind": "http", "url": gateway.url, "key": gateway.key, "poll": 0.3}},
    ).with_feed()
    one.strategy("holder", BUYS)
    return one


def begin(site: Site) -> Daemon:
    daemon = site.daemon()
    daemon.start("holder", account="fund", mode="live", confirm_live=True)
    return daemon


def sent(gateway: Gateway, role: str) -> list[str]:
    return [name for name, order in dict(gateway.venue.orders).items() if order["role"] == role]


def arrives(daemon: Daemon, feed: Feed, gateway: Gateway, price: float, role: str) -> str:
    pump(daemon, feed, price, lambda: sent(gateway, role) != [])
    [order_id] = sent(gateway, role)
    return order_id


def test_a_live_order_and_its_stop_go_through_the_gateway_once_whoever_is_killed(site, gateway):
    daemon = begin(site)
    with site.feed() as feed:
        feed.wait_for_engine()
        entry = arrives(daemon, feed, gateway, 100.0, "signal")
        assert 0.0 == held(daemon), "no tick fills it"
        engine = daemon.part("engine")
        engine.kill()
        daemon.until(lambda: not engine.alive, "the engine gone")
        gateway.venue.fill(entry, 1.0, 100.5, 0.25)
        daemon.until(lambda: held(daemon) == 1.0, "the fill in the books of the next engine")
        [row] = rows(daemon, "positions")
        assert (100.5, 0.25, "fund") == (row["average_price"], row["fees"], row["account"])
        gateway.always["POST"] = "hang"  # it takes the order, and its answer never comes
        stop = arrives(daemon, feed, gateway, 97.0, "stop_loss")
        assert ("sell", True) == tuple(gateway.venue.orders[stop][name] for name in ("side", "reduce_only"))
        daemon.kill()
        gateway.always.clear()
        gateway.venue.fill(stop, 1.0, 96.5)
        again = site.daemon()
        again.until(lambda: rows(again, "positions") != [] and held(again) == 0.0, "flat after the restart")
        for _ in range(20):
            feed.tick(price=95.0)
        pump(again, feed, 95.0, lambda: again.get("trades")[-1]["price"] == 96.5)
    assert {entry: 1, stop: 1} == dict(gateway.venue.taken)
    [first, last] = again.get("trades")
    assert [(1.0, 100.5), (-1.0, 96.5)] == [(trade["quantity"], trade["price"]) for trade in (first, last)]


def test_a_cancellation_that_was_asked_for_is_carried_out_by_the_next_daemon(site, gateway):
    daemon = begin(site)
    with site.feed() as feed:
        feed.wait_for_engine()
        entry = arrives(daemon, feed, gateway, 100.0, "signal")
        gateway.always["DELETE"] = "500"
        assert 0 == site.stratd("account", "pause", "fund").code
        wait_until(lambda: gateway.asked["DELETE"] > 0, what="the cancellation asked for")
        daemon.kill()
        gateway.always.clear()
        again = site.daemon()
        again.until(lambda: gateway.venue.states[entry]["status"] == "cancelled", "taken back there")
        again.until(lambda: rows(again, "orders") == [], "no order that waits")
    assert 0.0 == held(again)
