"""A real gateway over a real socket, which misbehaves in every way: each order is there once, and known."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from supervisor.routes.http import open_route
from supervisor.routes.route import NotTaken, Refused, RouteUnusable, Sendable, Unreachable
from tests.supervisor.routes.gateway import Gateway, Venue
from tests.supervisor.routes.route_world import QUICK, World, leave, news, order
from tests.waiting import until

pytestmark = pytest.mark.system
KEY = "s3cret-of-the-gateway"
ROOT = Path(__file__).resolve().parents[3]
SHORT = 2.0
"""Seconds for an answer where none is to come; those that are to come take less, on a busy host too."""


def live(scenario: Callable[[Gateway, World], Awaitable[None]], **changes: object) -> Gateway:
    """Run a scenario with a gateway and a courier to it."""
    gateway: list[Gateway] = []

    async def run() -> None:
        gateway.append(Gateway(key=KEY))
        await gateway[0].start()
        try:
            spec = replace(QUICK, url=gateway[0].url, key=KEY, timeout=changes.get("timeout", QUICK.timeout))
            async with World(open_route(spec), **changes) as world:
                await asyncio.wait_for(scenario(gateway[0], world), 60)
        finally:
            await gateway[0].stop()

    asyncio.run(run())
    return gateway[0]


def test_an_order_goes_out_and_its_fills_come_back_in_whole_sums():
    async def scenario(gateway: Gateway, world: World):
        world.take(order(kind="limit", limit_price=99.5, time_in_force="day"))
        await world.until("working")
        gateway.venue.fill("o1", 4.0, 99.5, 0.1)

        async def partly() -> bool:
            return world.reports[-1].filled == 4.0

        await until(partly, what="a partial fill")
        gateway.venue.fill("o1", 10.0, 99.25, 0.25)
        done = await world.until("filled")
        assert (10.0, 99.25, 0.25, "v-o1") == (done.filled, done.average_price, done.fees, done.venue_id)

    gateway = live(scenario)
    sent = gateway.venue.orders["o1"]
    assert ("X.there", "buy", 10.0, "limit", 99.5, "day", False) == tuple(
        sent[name]
        for name in ("symbol", "side", "quantity", "type", "limit_price", "time_in_force", "reduce_only")
    )
    head = gateway.heads[0].lower()
    assert "idempotency-key: o1\r\n" in head
    assert f"authorization: bearer {KEY}\r\n" in head


def test_a_sale_is_reported_with_its_sign():
    async def scenario(gateway: Gateway, world: World):
        world.take(leave("o1"))
        await world.until("working")
        gateway.venue.fill("o1", 10.0)
        assert -10.0 == (await world.until("filled")).filled

    assert "sell" == live(scenario).venue.orders["o1"]["side"]


@pytest.mark.parametrize("how", ["hang", "drop", "half", "+500", "+503", "garbage", "+409", "+408"])
def test_an_order_that_was_taken_and_not_answered_is_asked_for_and_there_once(how):
    async def scenario(gateway: Gateway, world: World):
        gateway.behave["POST"] = [how]
        world.take(order())
        await world.until("working")
        assert ["unknown", "working"] == world.statuses()

    gateway = live(scenario, timeout=SHORT if how == "hang" else QUICK.timeout)
    assert (1, ["o1"]) == (gateway.venue.taken["o1"], gateway.venue.sent)


@pytest.mark.parametrize("how", ["500", "502", "409"])
def test_an_order_that_was_not_taken_is_sent_again_under_its_id_once_the_gateway_says_so(how):
    async def scenario(gateway: Gateway, world: World):
        gateway.behave["POST"] = [how, how]
        gateway.behave["GET"] = ["500", "half"]
        world.take(order())
        await world.until("working")

    gateway = live(scenario, failures=100)
    assert (1, {"o1"}) == (gateway.venue.taken["o1"], set(gateway.venue.sent))
    assert gateway.asked["GET"] >= 4


@pytest.mark.parametrize("how", ["429", "401", "404"])
def test_what_was_certainly_not_taken_is_tried_again_without_being_asked_for(how):
    async def scenario(gateway: Gateway, world: World):
        gateway.behave["POST"] = [how]
        world.take(order())
        await world.until("working")
        assert ["working"] == world.statuses()

    assert 2 == live(scenario).asked["POST"]


def test_a_refusal_is_the_last_word_and_says_why():
    async def scenario(gateway: Gateway, world: World):
        gateway.behave["POST"] = ["refuse"]
        world.take(order())
        assert "422 no margin" == (await world.until("rejected")).detail

    gateway = live(scenario)
    assert (0, 0) == (gateway.asked["GET"], gateway.venue.taken["o1"])


def test_a_page_of_somebody_elses_404_does_not_say_that_an_order_was_never_heard_of():
    async def scenario(gateway: Gateway, world: World):
        gateway.behave["POST"] = ["drop"]
        gateway.behave["GET"] = ["404"]
        world.take(order())
        await world.until("working")

    assert ["o1"] == live(scenario).venue.sent


def test_a_cancellation_is_sent_and_counts_once_it_is_answered():
    async def scenario(gateway: Gateway, world: World):
        world.take(order())
        await world.until("working")
        gateway.behave["DELETE"] = ["500", "hang"]
        world.take(order(), cancel=True)
        await world.until("cancelled")

    assert "cancelled" == live(scenario, timeout=SHORT).venue.states["o1"]["status"]


def test_a_gateway_that_restarts_is_found_again():
    async def scenario(gateway: Gateway, world: World):
        world.take(order())
        await world.until("working")
        await gateway.stop()

        async def noticed() -> bool:
            return bool(world.problem)

        await until(noticed, what="a problem")
        assert "cut off" in world.problem
        world.take(order("late", seq=3))
        assert "cut off" in (await world.until("rejected", "late")).detail
        world.take(leave("exit"))
        await gateway.start()
        await world.until("working", "exit")
        gateway.venue.fill("o1", 10.0)
        await world.until("filled")
        assert "" == world.problem
        assert ["route_down", "route_up"] == [kind for kind, _ in world.events]

    venue = live(scenario).venue
    assert {"o1": 1, "exit": 1} == dict(venue.taken)


def test_a_gateway_that_hangs_delays_no_other_one():
    async def scenario(gateway: Gateway, world: World):
        gateway.always = {"POST": "hang", "GET": "hang"}
        for number in range(40):
            world.take(order(f"h{number}", seq=number, symbol=f"S{number}"))
        other = Gateway(key=KEY)
        await other.start()
        try:
            async with World(open_route(replace(QUICK, url=other.url, key=KEY))) as second:
                second.take(order())
                await second.until("working")
        finally:
            await other.stop()
        assert [] == [one for one in world.reports if one.status == "working"]

    live(scenario, timeout=SHORT)


def test_what_nobody_listens_for_was_certainly_not_taken():
    async def ask() -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            route = open_route(replace(QUICK, url=f"http://127.0.0.1:{free.getsockname()[1]}"))
            await route.start(lambda *_: None)
            try:
                with pytest.raises(NotTaken):
                    await route.send(Sendable(order(), "X"))
            finally:
                await route.close()

    asyncio.run(ask())


STATUSES = {
    **dict.fromkeys([300, 302, 307, 401, 403, 404, 405, 407, 421, 425, 426, 429], NotTaken),
    **dict.fromkeys([400, 402, 406, 410, 413, 415, 418, 422, 451], Refused),
    **dict.fromkeys([408, 409, 500, 501, 502, 503, 504, 599], Unreachable),
}


@pytest.mark.parametrize(("status", "error"), STATUSES.items())
def test_what_each_status_means_for_an_order(status, error):
    async def scenario(gateway: Gateway, world: World):
        gateway.behave["POST"] = [str(status)]
        route = open_route(replace(QUICK, url=gateway.url, key=KEY))
        await route.start(lambda *_: None)
        try:
            with pytest.raises(error) as caught:
                await route.send(Sendable(order(), "X"))
            assert error is type(caught.value)
        finally:
            await route.close()

    live(scenario)


def test_no_secret_is_in_any_text(caplog, capsys):
    texts: list[str] = []

    async def scenario(gateway: Gateway, world: World):
        spec = replace(QUICK, url=f"{gateway.url}/{KEY}", key=KEY)
        texts.append(repr(spec))
        gateway.always = {"POST": "half", "GET": "drop"}
        async with World(open_route(spec)) as other:
            other.take(order())
            await other.until("unknown")
            texts.extend(map(repr, [other.reports, other.events, other.problem, other.courier]))

    live(scenario)
    printed = capsys.readouterr()
    texts += [caplog.text, printed.out, printed.err]
    assert all(KEY not in text for text in texts)


def test_a_password_in_the_url_would_go_out_instead_of_the_key():
    with pytest.raises(RouteUnusable) as caught:
        open_route(replace(QUICK, url=f"https://user:{KEY}@gateway/v1", key=KEY))
    assert "must not hold a user or a password" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("url", ["", "gateway", "ftp://host", "http://", "http://[::1"])
def test_a_url_that_cannot_be_used_is_a_sentence_without_it(url):
    with pytest.raises(RouteUnusable) as caught:
        open_route(replace(QUICK, url=url))
    assert "url: must be a URL that begins with http:// or https://" == str(caught.value)


COURIER = """
import asyncio, sys
import msgspec
from supervisor.routes.courier import Courier
from supervisor.routes.http import open_route
from supervisor.routes.spec import RouteSpec
from supervisor.trading_control import RouteOrder

async def main():
    spec = msgspec.json.decode(sys.argv[1], type=RouteSpec)
    route = open_route(spec)
    courier = Courier(spec, route, tell=print, note=print, problem=print)
    await courier.start()
    courier.take(msgspec.json.decode(sys.argv[2], type=RouteOrder))
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.parametrize("taken", [True, False])
def test_a_daemon_killed_while_an_order_is_on_its_way_leaves_one_order(taken):
    """kill -9 once the gateway has the order, or holds it back; then the next daemon is told of it again."""

    async def scenario(gateway: Gateway, world: World):
        if taken:
            gateway.behave["POST"] = ["hang"]
        else:
            gateway._post, post = (lambda _path, _body: (200, {})), gateway._post
            gateway.behave["POST"] = ["hang"]
        spec = replace(QUICK, url=gateway.url, key=KEY, timeout=30.0)
        one = order()
        arguments = [msgspec.json.encode(thing).decode() for thing in (spec, news(one))]
        first = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-c", COURIER, *arguments, cwd=ROOT
        )

        async def arrived() -> bool:
            return gateway.asked["POST"] == 1

        await until(arrived, what="the order at the gateway")
        os.kill(first.pid, signal.SIGKILL)
        await first.wait()
        if not taken:
            gateway._post = post

        world.take(one, again=True)
        await world.until("working")
        gateway.venue.fill("o1", 10.0)
        assert 10.0 == (await world.until("filled")).filled

    gateway = live(scenario)
    assert {"o1": 1} == dict(gateway.venue.taken)
    assert 1 == len(gateway.venue.sent)


def test_what_a_gateway_keeps_is_enough_when_it_restarts_with_another_process():
    venue = Venue()

    async def run() -> None:
        first = Gateway(venue, key=KEY)
        await first.start()
        async with World(open_route(replace(QUICK, url=first.url, key=KEY, timeout=SHORT))) as world:
            first.behave["POST"] = ["hang"]
            world.take(order())
            await world.until("unknown")
            await first.stop()
            second = Gateway(venue, key=KEY)
            second.port = first.port
            await second.start()
            await world.until("working")
            await second.stop()

    asyncio.run(run())
    assert ({"o1": 1}, ["o1"]) == (dict(venue.taken), venue.sent)
    assert "X.there" == json.loads(json.dumps(venue.orders))["o1"]["symbol"]
