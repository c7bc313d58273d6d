"""A real gateway behind a real ROUTER, which misbehaves: each order is there once, and known."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import pytest
import zmq
import zmq.asyncio
from msgspec.structs import replace

from supervisor.routes import zeromq
from supervisor.routes.route import NotTaken, Refused, RouteUnusable, Sendable, Unreachable
from supervisor.routes.zeromq import open_route
from tests.supervisor.routes.gateway import Gateway, Venue
from tests.supervisor.routes.route_world import QUICK, World, leave, order
from tests.waiting import turn, until

pytestmark = pytest.mark.system
SHORT = 2.0
"""Seconds for an answer where none is to come; those that are to come take less, on a busy host too."""


class Desk:
    """A gateway behind a ROUTER over a venue as the HTTP one has. ``behave`` holds what happens next.

    ``hang`` takes and says nothing, ``deaf`` neither; ``refuse``, ``wait`` and ``garbage`` are answers.
    """

    def __init__(self, endpoint: str, venue: Venue | None = None) -> None:
        self.venue = venue or Venue()
        self.behave: dict[str, list[str]] = {"send": [], "query": [], "cancel": []}
        self.asked: list[str] = []
        self.secret = b""
        self._endpoint = endpoint
        self._books = Gateway(self.venue)
        self._peer = b""

    async def __aenter__(self) -> Self:
        self._context = zmq.asyncio.Context()
        self._socket = self._context.socket(zmq.ROUTER)
        if self.secret:
            self._socket.curve_server = True
            self._socket.curve_secretkey = self.secret
        self._socket.bind(self._endpoint)
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._socket.close(0)
        self._context.term()

    async def _serve(self) -> None:
        while True:
            self._peer, question = await self._socket.recv_multipart()
            asked = json.loads(question)
            self.asked.append(asked["do"])
            queue = self.behave[asked["do"]]
            answer = self._answer(asked, queue.pop(0) if queue else "")
            if answer is not None:
                await self._socket.send_multipart([self._peer, answer])

    def _answer(self, asked: dict, how: str) -> bytes | None:
        about = {"request": asked["request"], "order_id": asked["order_id"]}
        if how == "deaf":
            return None
        if how == "refuse":
            return json.dumps(about | {"refused": "no margin"}).encode()
        if how == "wait":
            return json.dumps(about | {"wait": 0.01}).encode()
        deed = {"send": self._books._post, "query": self._books._get, "cancel": self._books._delete}
        status, found = deed[asked["do"]](f"/{asked['order_id']}", json.dumps(asked.get("order")).encode())
        if how == "hang":
            return None
        if how == "garbage":
            return json.dumps(about | {"status": "perhaps"}).encode()
        return json.dumps(about | ({"unheard": True} if status == 404 else found)).encode()

    async def report(self, order_id: str, **more: object) -> None:
        """Say unasked how an order stands."""
        said = {"order_id": order_id, **self.venue.states[order_id], **more}
        await self._socket.send_multipart([self._peer, json.dumps(said).encode()])


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/gateway"


UNHURRIED = {"failures": 10**9, "patience": 60.0}
"""What a connection takes to come about is no failure: on a busy host it is more than three attempts."""


def live(endpoint: str, scenario: Callable[[Desk, World], Awaitable[None]], **changes: object) -> Desk:
    desk = Desk(endpoint)

    async def run() -> None:
        spec = replace(QUICK, url=endpoint, timeout=changes.get("timeout", QUICK.timeout))
        async with desk, World(open_route(spec), **(UNHURRIED | changes)) as world:
            await asyncio.wait_for(scenario(desk, world), 60)

    asyncio.run(run())
    return desk


def test_an_order_goes_out_whole_and_its_fills_come_back_by_reports_and_by_questions(endpoint):
    async def scenario(desk: Desk, world: World):
        world.take(order(kind="limit", limit_price=99.5, time_in_force="day"))
        await world.until("working")
        desk.venue.fill("o1", 4.0, 99.5, 0.1)
        await desk.report("o1")

        async def partly() -> bool:
            return world.reports[-1].filled == 4.0

        await until(partly, what="a partial fill")
        desk.venue.fill("o1", 10.0, 99.25, 0.25)
        done = await world.until("filled")
        assert (10.0, 99.25, 0.25, "v-o1") == (done.filled, done.average_price, done.fees, done.venue_id)

    sent = live(endpoint, scenario).venue.orders["o1"]
    assert ("X.there", "buy", 10.0, "limit", 99.5, "day") == tuple(
        sent[name] for name in ("symbol", "side", "quantity", "type", "limit_price", "time_in_force")
    )


def test_a_report_alone_is_enough(endpoint):
    async def scenario(desk: Desk, world: World):
        world.take(leave("o1"))
        await world.until("working")
        desk.venue.fill("o1", 10.0)
        await desk.report("o1")
        assert -10.0 == (await world.until("filled")).filled

    assert "query" not in live(endpoint, scenario, poll_first=3600.0, poll_most=3600.0).asked


@pytest.mark.parametrize("how", ["hang", "garbage"])
def test_an_order_that_was_taken_and_not_answered_is_asked_for_and_there_once(endpoint, how):
    async def scenario(desk: Desk, world: World):
        desk.behave["send"] = [how]
        world.take(order())
        await world.until("working")
        assert ["unknown", "working"] == world.statuses()

    desk = live(endpoint, scenario, timeout=SHORT if how == "hang" else QUICK.timeout)
    assert (1, ["o1"]) == (desk.venue.taken["o1"], desk.venue.sent)


def test_an_order_that_never_arrived_is_sent_again_under_its_id_once_the_gateway_says_so(endpoint):
    async def scenario(desk: Desk, world: World):
        desk.behave["send"] = ["deaf"]
        world.take(order())
        await world.until("working")

    desk = live(endpoint, scenario, timeout=SHORT)
    assert (["send", "query", "send"], 1) == (desk.asked[:3], desk.venue.taken["o1"])


def test_patience_is_heeded_and_a_refusal_is_the_last_word(endpoint):
    async def scenario(desk: Desk, world: World):
        desk.behave["send"] = ["wait", "refuse"]
        world.take(order())
        assert "no margin" == (await world.until("rejected")).detail

    desk = live(endpoint, scenario)
    assert (["send", "send"], {}) == (desk.asked, dict(desk.venue.taken))


def test_a_cancellation_of_what_never_arrived_bars_its_id(endpoint):
    async def scenario(desk: Desk, world: World):
        world.take(order(), cancel=True)
        await world.until("cancelled")

    desk = live(endpoint, scenario)
    assert ("cancel" in desk.asked, "send" in desk.asked) == (True, False)
    assert "cancelled" == desk.venue.states["o1"]["status"]


def test_where_no_gateway_is_an_entry_is_certainly_not_taken_and_an_exit_waits_for_it(endpoint):
    async def run() -> None:
        venue = Venue()
        async with World(open_route(replace(QUICK, url=endpoint)), patience=0.05) as world:
            world.take(order("entry"))
            assert "no gateway is connected" in (await world.until("rejected", "entry")).detail
            world.take(leave("exit"))
            async with Desk(endpoint, venue):
                await world.until("working", "exit")
            async with Desk(endpoint, venue):  # another process of the same gateway
                venue.fill("exit", 10.0)
                await world.until("filled", "exit")
        assert {"exit": 1} == dict(venue.taken)

    asyncio.run(run())


def test_what_says_nothing_that_can_be_is_counted_and_hurts_nobody(endpoint):
    async def scenario(desk: Desk, world: World):
        route = open_route(replace(QUICK, url=endpoint))
        told: list[str] = []
        await route.start(lambda order_id, _: told.append(order_id))
        await until(lambda: _there(route), what="the gateway connected")
        for junk in (b"", b"\xff", b"[]", b"{}", b'{"order_id": "o1"}', b'{"order_id": "o1", "filled": -1}'):
            await desk._socket.send_multipart([desk._peer, junk])

        async def counted() -> bool:
            return route.unreadable == 6

        await until(counted, what="all of them counted")
        assert [] == told
        await route.close()

    live(endpoint, scenario)


async def _there(route) -> bool:
    with contextlib.suppress(NotTaken):
        return await route.query("nobody's") is None
    return False


@pytest.mark.parametrize(
    ("how", "error"), [("refuse", Refused), ("garbage", Unreachable), ("wait", NotTaken)]
)
def test_what_each_answer_means(endpoint, how, error):
    async def scenario(desk: Desk, world: World):
        route = open_route(replace(QUICK, url=endpoint))
        await route.start(lambda *_: None)
        await until(lambda: _there(route), what="the gateway connected")
        desk.behave["send"] = [how]
        with pytest.raises(error) as caught:
            await route.send(Sendable(order(), "X"))
        assert error is type(caught.value)
        await route.close()

    live(endpoint, scenario)


@pytest.mark.parametrize("right", [True, False])
def test_curve_keeps_out_who_is_not_the_gateway_of_the_key(tmp_path, right):
    public, secret = zmq.curve_keypair()
    other, _ = zmq.curve_keypair()

    async def run() -> None:
        desk = Desk(f"ipc://{tmp_path}/g")
        desk.secret = secret
        spec = replace(QUICK, url=f"ipc://{tmp_path}/g", key=(public if right else other).decode())
        async with desk, World(open_route(spec), **(UNHURRIED if right else {"patience": 0.2})) as world:
            world.take(order())
            await world.until("working" if right else "rejected")
        assert (1 if right else 0) == desk.venue.taken["o1"]

    asyncio.run(run())


@pytest.mark.parametrize("url", ["", "gateway", "http://host", "tcp://"])
def test_an_endpoint_that_cannot_be_used_is_a_sentence_without_it(url):
    with pytest.raises(RouteUnusable) as caught:
        open_route(replace(QUICK, url=url))
    assert "url: must be an endpoint that begins with tcp:// or ipc://" == str(caught.value)


def test_a_key_that_is_none_is_a_sentence_without_it():
    async def start() -> None:
        await open_route(replace(QUICK, url="tcp://127.0.0.1:1", key="not a key")).start(lambda *_: None)

    with pytest.raises(RouteUnusable, match="a CURVE key of 40 characters") as caught:
        asyncio.run(start())
    assert "not a key" not in str(caught.value)


def test_a_gateway_that_never_stops_talking_leaves_the_loop_to_others(monkeypatch):
    class Talker:
        descriptor = -1

        def __init__(self, *_: object, **__: object) -> None:
            self.said = 0

        def messages(self):
            while self.said < 1_000_000:
                self.said += 1
                yield b"{}"

        def close(self) -> None:
            """Nothing is open."""

    async def run() -> int:
        monkeypatch.setattr(zeromq, "GatewayLink", Talker)
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "add_reader", lambda _fd, read: loop.call_soon(read))
        monkeypatch.setattr(loop, "remove_reader", lambda _fd: None)
        route = open_route(replace(QUICK, kind="zmq", url="tcp://127.0.0.1:1"))
        await route.start(lambda _id, _answer: None)
        for _ in range(3):
            await turn()  # the loop is here
        unreadable = route.unreadable
        await route.close()
        return unreadable

    monkeypatch.setattr(zeromq.log, "warning", lambda *_, **__: None)
    assert zeromq.A_TURN <= asyncio.run(run()) <= 100 * zeromq.A_TURN
