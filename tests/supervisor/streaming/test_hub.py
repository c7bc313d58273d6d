"""The hub: what is told to whom, from when on, and what it costs while nobody listens."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.trading.records import Closed, Withheld
from supervisor.errors import Invalid, Refused
from supervisor.streaming import hub as hub_module
from supervisor.streaming.cursor import Cursor, cursor_of
from supervisor.streaming.hub import Hub
from supervisor.streaming.message import Subscription
from supervisor.streaming.stream import Sent, Stream
from supervisor.streaming.topics import DEFAULT, TOPICS, topics_of
from tests.supervisor.fake_daemon import make_row
from tests.supervisor.fake_world import AT, FakeWorld
from tests.waiting import pause_between, turn, until

DURABLE = frozenset(("events", "orders"))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


class Client:
    """A listener that takes one message at a time: it may go away in the middle of a batch."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._batches = aiter(stream)
        self._held: list[Sent] = []

    async def one(self) -> Sent:
        while not self._held:
            self._held += await anext(self._batches)
        return self._held.pop(0)

    async def take(self, count: int) -> list[Sent]:
        return [await self.one() for _ in range(count)]


async def listen(hub: Hub, wanted: Subscription, last: Cursor | None = None) -> Client:
    return Client(await hub.open(wanted, last))


def said(sent: list[Sent], topic: str) -> list[Any]:
    return [json.loads(data) for _, of, data in sent if of == topic]


# ---- names and cursors ----
def test_no_topics_are_all_but_logs() -> None:
    assert topics_of("") == DEFAULT == frozenset(TOPICS) - {"logs"}


def test_topics_are_named_with_commas_between() -> None:
    assert topics_of("logs, feeds") == {"logs", "feeds"}


def test_an_unknown_topic_is_named_with_those_that_there_are() -> None:
    with pytest.raises(Invalid, match="topics = 'jobs': no such topic; there are deployments, signals"):
        topics_of("events,jobs")


@given(st.integers(0, 2**59), st.integers(0, 2**59))
def test_a_cursor_reads_back_as_it_was(event: int, record: int) -> None:
    assert cursor_of(str(Cursor(event, record))) == Cursor(event, record)


@given(st.text(max_size=50).filter(lambda text: not re.fullmatch(r"[0-9]{1,18}-[0-9]{1,18}", text, re.ASCII)))
def test_what_is_no_cursor_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        cursor_of(text)
    assert len(refusal.value.errors) == 1


# ---- what comes ----
def test_a_new_listener_is_told_how_everything_is_and_then_what_changes() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.deployments = {"eurusd": make_row("eurusd"), "gold": make_row("gold", "paused")}
        hub = Hub(world, period=0.01)
        client = await listen(hub, Subscription(frozenset({"deployments"})))
        first = await client.take(2)
        world.deployments["gold"] = make_row("gold", "running")
        then = await client.take(1)
        del world.deployments["eurusd"]
        last = await client.take(1)
        await hub.close()
        assert [(row["id"], row["state"]) for row in said(first, "deployments")] == [
            ("eurusd", "running"), ("gold", "paused"),
        ]  # fmt: skip
        assert [(row["id"], row["state"]) for row in said(then, "deployments")] == [("gold", "running")]
        assert said(last, "deployments") == [{"id": "eurusd", "removed": True}]

    run(work())


def test_time_alone_makes_no_message() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.deployments = {"eurusd": make_row("eurusd")}
        hub = Hub(world, period=0.01)
        client = await listen(hub, Subscription(frozenset({"deployments"})))
        await client.take(1)
        older = make_row("eurusd").model_copy(update={"uptime_s": 900.0})
        world.deployments = {"eurusd": older}
        looked = world.looked
        await came_true(lambda: world.looked >= looked + 3)
        world.deployments = {"eurusd": older.model_copy(update={"ticks": 1201})}
        rows = said(await client.take(1), "deployments")
        await hub.close()
        assert [row["ticks"] for row in rows] == [1201]

    run(work())


def test_events_and_executions_come_as_they_happen_with_the_place_behind_each() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.note("before")
        world.fill("eurusd")
        hub = Hub(world)
        client = await listen(hub, Subscription(DURABLE))
        taking = asyncio.create_task(client.take(2))
        await turn()
        world.note("up", "eurusd")
        world.fill("eurusd")
        sent = await taking
        await hub.close()
        assert [event["kind"] for event in said(sent, "events")] == ["up"]
        assert [order["order_id"] for order in said(sent, "orders")] == ["o2"]
        assert sent[-1][0] == "2-2"

    run(work())


def test_a_listener_of_one_account_sees_nothing_of_another() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.accounts = {"mine": "a", "theirs": "b"}
        world.deployments = {
            name: make_row(name).model_copy(update={"account": account})
            for name, account in world.accounts.items()
        }
        hub = Hub(world, period=0.01)
        client = await listen(hub, Subscription(frozenset(TOPICS), account="a"))
        for name in ("theirs", "mine"):
            world.note("up", name)
            world.fill(name)
            hub.lines(name, [])
        world.note("engine_ready")
        sent: list[Sent] = []
        while len(said(sent, "orders")) < 1 or len(said(sent, "metrics")) < 2:
            sent += await client.take(1)
        await hub.close()
        assert not [data for _, _, data in sent if "theirs" in data or "engine_ready" in data]
        assert [set(figures["deployments"]) for figures in said(sent, "metrics")][:1] == [{"mine"}]

    run(work())


def test_what_is_left_of_an_earlier_deployment_is_not_told_to_the_next_owner_of_its_id() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.accounts = {"id": "new"}
        order = {"deployment_id": "id", "symbol": "EURUSD", "order_seq": 1, "reason": "expired"}
        refused = {"deployment_id": "id", "decision": "rejected", "rule": "rate_limit", "generation": 1}
        for account in ("old", ""):  # the first versions wrote down none
            at = {"at": AT, "account_id": account}
            world.journal.append(Closed(seq=len(world.journal) + 1, order_id=f"o {account}", **order, **at))
            world.journal.append(Withheld(seq=len(world.journal) + 1, count=9, **refused, **at))
        world.journal.append(Closed(seq=5, order_id="o new", at=AT, account_id="new", **order))
        hub = Hub(world)
        wanted = frozenset(("orders", "signals"))
        mine = await listen(hub, Subscription(wanted, account="new"), Cursor())
        sent = await mine.take(1)
        assert [("o new", "new")] == [(one["order_id"], one["account"]) for one in said(sent, "orders")]
        everybody = await listen(hub, Subscription(wanted), Cursor())
        assert [1, 2, 3, 4, 5] == [json.loads(data)["seq"] for _, _, data in await everybody.take(5)]
        await hub.close()

    run(work())


def test_one_deployment_may_be_listened_to() -> None:
    async def work() -> None:
        world = FakeWorld()
        hub = Hub(world)
        client = await listen(hub, Subscription(DURABLE, "gold"), Cursor())
        for name in ("eurusd", "gold"):
            world.note("up", name)
        sent = await client.take(1)
        await hub.close()
        assert [event["deployment_id"] for event in said(sent, "events")] == ["gold"]

    run(work())


def test_who_comes_back_is_told_that_a_deployment_was_removed_meanwhile() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.note("up", "eurusd")
        world.note("removed", "eurusd")
        world.note("removed", "gold")
        world.deployments = {"gold": make_row("gold")}  # made anew since
        hub = Hub(world)
        client = await listen(hub, Subscription(frozenset({"deployments"})), Cursor(1, 0))
        sent = said(await client.take(2), "deployments")
        await hub.close()
        assert sent[0] == {"id": "eurusd", "removed": True}
        assert sent[1]["id"] == "gold"

    run(work())


def test_a_place_in_another_log_is_before_all_of_this_one() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.note("up")
        world.fill("eurusd")
        hub = Hub(world)
        client = await listen(hub, Subscription(DURABLE), Cursor(900, 900))
        sent = await client.take(2)
        await hub.close()
        assert [topic for _, topic, _ in sent] == ["events", "orders"]

    run(work())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 9)), max_size=30))
def test_with_the_last_id_everything_comes_once_and_in_order(
    steps: list[tuple[int, int, int]],
) -> None:
    """The connection is cut at random points while events and executions go on: nothing lost, none twice."""

    async def work() -> None:
        world = FakeWorld()
        hub = Hub(world)
        got: list[Sent] = []
        last = Cursor()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hub_module, "PAGE", 3)
            for events, fills, count in steps:
                client = await listen(hub, Subscription(DURABLE), last)
                grown = asyncio.get_running_loop().create_task(grow(world, events, fills))
                due = world.last_event() + len(world.journal) - last.event - last.record
                for _ in range(min(count, due)):
                    sent = await client.one()
                    got.append(sent)
                await grown
                await client.stream.aclose()
                last = cursor_of(got[-1][0]) if got else Cursor()
            left = world.last_event() + len(world.journal) - len(got)
            client = await listen(hub, Subscription(DURABLE), last)
            got += await client.take(left)
            await hub.close()
        assert [event["seq"] for event in said(got, "events")] == list(range(1, len(world.log) + 1))
        assert [order["seq"] for order in said(got, "orders")] == list(range(1, len(world.journal) + 1))

    run(work())


async def came_true(condition: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return condition()

    await until(asked)


async def grow(world: FakeWorld, events: int, fills: int) -> None:
    for number in range(max(events, fills)):
        if number < events:
            world.note("up", "eurusd")
        if number < fills:
            world.fill("eurusd")
        await turn()


# ---- what it costs ----
def test_nothing_is_asked_while_nobody_listens() -> None:
    async def work() -> None:
        world = FakeWorld()
        world.deployments = {"eurusd": make_row("eurusd")}
        hub = Hub(world, period=0.001)
        client = await listen(hub, Subscription(frozenset(TOPICS)))
        await client.take(1)
        await client.stream.aclose()
        before = world.looked, world.asked
        world.fill("eurusd", 5)
        world.note("up", "eurusd")
        for _ in range(20):
            await pause_between(0.001)
        assert (world.looked, world.asked) == before
        assert [task for task in asyncio.all_tasks() if task.get_name().startswith("stream")] == []

    run(work())


def test_who_does_not_read_is_cut_off_and_the_others_lose_nothing() -> None:
    async def work() -> None:
        world = FakeWorld()
        hub = Hub(world)
        slow = await hub.open(Subscription(DURABLE))
        quick = await hub.open(Subscription(DURABLE))
        await take_start(slow)
        counted: Counter[int] = Counter()

        async def read() -> None:
            async for batch in quick:
                counted.update(json.loads(data)["seq"] for _, topic, data in batch if topic == "orders")
                if sum(counted.values()) == 100_000:
                    return

        reading = asyncio.create_task(read())
        await turn()
        for _ in range(1000):
            world.fill("eurusd", 100)
            await turn()
        await reading
        assert slow.cut_off.is_set()
        assert len(slow._queue) == 0
        assert hub.cut_off == 1
        assert counted == Counter(range(1, 100_001))
        await hub.close()

    run(work())


async def take_start(stream: Stream) -> None:
    """Let a listener begin to follow, and then read nothing."""
    batches = aiter(stream)
    reading = asyncio.ensure_future(anext(batches))
    await came_true(lambda: stream.following)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


def test_there_is_a_most_of_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        hub = Hub(FakeWorld())
        await hub.open(Subscription(DURABLE))
        with pytest.raises(Refused, match="1 streams are open already"):
            await hub.open(Subscription(DURABLE))
        await hub.close()

    monkeypatch.setattr(hub_module, "MOST", 1)
    run(work())


def test_no_key_keeps_the_others_from_listening(monkeypatch):
    monkeypatch.setattr(hub_module, "MOST_OF_ONE", 2)

    async def work() -> None:
        hub = Hub(FakeWorld())
        wanted = Subscription(DURABLE, key="a")
        first, _ = await hub.open(wanted), await hub.open(wanted)
        with pytest.raises(Refused, match="2 streams of this key are open already"):
            await hub.open(wanted)
        await hub.open(Subscription(DURABLE, key="b"))
        for _ in range(3):
            await hub.open(Subscription(DURABLE))
        await first.aclose()
        await hub.open(wanted)
        await hub.close()

    run(work())
