"""A real Redis (or Valkey): orders are in the stream once, and reports come back, also after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from redis import asyncio as redis

from supervisor.routes.redis import open_route, read_report
from supervisor.routes.route import Answer, NotTaken, RouteUnusable, Sendable
from tests.supervisor.redis_server import RedisServer
from tests.supervisor.routes.route_world import QUICK, World, order
from tests.waiting import until

pytestmark = pytest.mark.system
PREFIX = "stratd:route:gateway:"


@pytest.fixture
def server(tmp_path: Path):
    made = RedisServer(tmp_path)
    made.start()
    yield made
    made.stop()


def live(server: RedisServer, scenario: Callable[[World, redis.Redis], Awaitable[None]], **changes: object):
    async def run() -> None:
        consumer = redis.Redis(unix_socket_path=str(server.socket))
        try:
            async with World(open_route(replace(QUICK, url=server.url)), **changes) as world:
                await asyncio.wait_for(scenario(world, consumer), 60)
        finally:
            await consumer.aclose()

    asyncio.run(run())


async def entries(consumer: redis.Redis) -> list[dict[bytes, bytes]]:
    return [fields for _, fields in await consumer.xrange(f"{PREFIX}orders")]


async def say(consumer: redis.Redis, **fields: object) -> None:
    await consumer.xadd(f"{PREFIX}reports", {"order_id": "o1", **fields})


def test_an_order_is_in_the_stream_and_what_a_consumer_says_comes_back(server):
    async def scenario(world: World, consumer: redis.Redis):
        world.take(order())
        await world.until("sent")
        [entry] = await entries(consumer)
        assert (b"send", b"o1") == (entry[b"do"], entry[b"order_id"])
        assert ("buy", 10.0) == tuple(
            msgspec.json.decode(entry[b"order"])[name] for name in ("side", "quantity")
        )
        await say(consumer, status="working", filled=4, average_price=99.5, fees=0.1)
        assert 4.0 == (await world.until("working")).filled
        await say(consumer, status="nonsense")
        await say(consumer, status="filled", filled="10.0", average_price="100", fees="", venue_id="v")
        done = await world.until("filled")
        assert (10.0, 100.0, "v") == (done.filled, done.average_price, done.venue_id)

    live(server, scenario)


def test_an_order_sent_twice_is_in_the_stream_once(server):
    async def run() -> None:
        route = open_route(replace(QUICK, url=server.url))
        consumer = redis.Redis(unix_socket_path=str(server.socket))
        try:
            assert None is await route.query("o1")
            answers = [await route.send(Sendable(order(), "X")) for _ in range(3)]
            assert [Answer(status="sent")] * 3 == answers
            assert Answer(status="sent") == await route.query("o1")
            assert 1 == len(await entries(consumer))
        finally:
            await consumer.aclose()
            await route.close()

    asyncio.run(run())


def test_an_id_that_was_barred_is_never_taken_and_a_cancellation_is_sent_once(server):
    async def run() -> None:
        route = open_route(replace(QUICK, url=server.url))
        consumer = redis.Redis(unix_socket_path=str(server.socket))
        try:
            assert None is await route.cancel("o1")
            assert "cancelled" == (await route.send(Sendable(order(), "X"))).status
            assert [] == await entries(consumer)
            await route.send(Sendable(order("o2"), "X"))
            assert ["sent", "sent"] == [(await route.cancel("o2")).status for _ in range(2)]
            assert [b"send", b"cancel"] == [entry[b"do"] for entry in await entries(consumer)]
        finally:
            await consumer.aclose()
            await route.close()

    asyncio.run(run())


def test_a_report_of_while_nobody_was_there_is_read_by_the_next_daemon(server):
    async def first(world: World, consumer: redis.Redis):
        world.take(order())
        await world.until("sent")

    async def between() -> None:
        consumer = redis.Redis(unix_socket_path=str(server.socket))
        await say(consumer, status="filled", filled=10, average_price=5)
        # As a daemon that was killed between reading and acknowledging leaves it.
        await consumer.xreadgroup("stratd", "stratd", {f"{PREFIX}reports": ">"})
        await consumer.aclose()

    async def second(world: World, consumer: redis.Redis):
        world.take(order(), again=True)
        assert 5.0 == (await world.until("filled")).average_price
        assert 1 == len(await entries(consumer))

        async def acknowledged() -> bool:
            return (await consumer.xpending(f"{PREFIX}reports", "stratd"))["pending"] == 0

        await until(acknowledged, what="every report acknowledged")

    live(server, first)
    asyncio.run(between())
    live(server, second)


def test_a_server_that_hangs_leaves_an_order_unknown_and_then_there_once(server):
    async def scenario(world: World, consumer: redis.Redis):
        server.pause()
        try:
            world.take(order())
            await world.until("unknown")
        finally:
            server.go_on()
        await world.until("sent")
        assert 1 == len(await entries(consumer))

    live(server, scenario)


def test_a_stream_that_is_something_else_takes_nothing(server):
    async def run() -> None:
        route = open_route(replace(QUICK, url=server.url))
        consumer = redis.Redis(unix_socket_path=str(server.socket))
        try:
            await consumer.set(f"{PREFIX}orders", "mine")
            with pytest.raises(NotTaken, match="WRONGTYPE"):
                await route.send(Sendable(order(), "X"))
            assert None is await route.query("o1")
        finally:
            await consumer.aclose()
            await route.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    "fields",
    [{}, {b"order_id": b"o"}, {b"order_id": b"o", b"status": b"filled", b"filled": b"nan"}, {b"\xff": b""}],
)
def test_a_report_that_says_nothing_that_can_be_is_none(fields):
    assert None is read_report(fields)


def test_a_url_that_cannot_be_used_is_a_sentence():
    with pytest.raises(RouteUnusable, match=r"redis:// or rediss:// or unix://"):
        open_route(replace(QUICK, url="https://h"))
