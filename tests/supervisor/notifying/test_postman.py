"""One target at work, over a channel that does what the test says: nothing lost, in order, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from supervisor.notifying.channel import NotDelivered, Undeliverable
from supervisor.notifying.postman import LONGEST_RETRY_AFTER, Pace, Postman, _again
from supervisor.notifying.target import Target
from supervisor.notifying.wording import Message
from supervisor.store.tables import Event
from tests.supervisor.notifying.sinks import event
from tests.waiting import until

TARGET = Target(name="pager", kind="webhook", url="https://e.org/x", every=0.0)
QUICK = Pace(gather=0.0, timeout=60.0, wait_first=0.001, wait_most=0.002, failures=3, cool_down=0.001)


class Log:
    """Events in memory. ``cut_off``: followers end, as those do that are too slow."""

    def __init__(self, *events: Event) -> None:
        self.events = list(events)
        self.grown = asyncio.Event()
        self.cut_off = False

    def add(self, *events: Event) -> None:
        self.events += events
        self.grown.set()

    async def read(
        self, after: int | None = None, limit: int | None = None, *, follow: bool = False
    ) -> AsyncIterator[Event]:
        last = after or 0
        while True:
            for one in [one for one in self.events if one.seq > last]:
                last = one.seq
                yield one
            if self.cut_off:
                self.cut_off = False
                return
            self.grown.clear()
            await self.grown.wait()


class Way:
    """A channel: each message meets the next of ``answers``; an error, None (it hangs), or a word."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.sent: list[Message] = []
        self.taken: list[Message] = []
        self.closed = False

    async def send(self, message: Message) -> str:
        self.sent.append(message)
        answer = self.answers.pop(0) if self.answers else "ok"
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        self.taken.append(message)
        return str(answer)

    async def close(self) -> None:
        self.closed = True


class World:
    """A postman over a log and a channel."""

    def __init__(self, log: Log, way: Way, *, at: int = 0, pace: Pace = QUICK) -> None:
        self.way, self.log = way, log
        self.notes: list[tuple[str, str]] = []
        self.places: list[int] = []
        self.postman = Postman(
            TARGET, way, log, at=at, host="h", owner=lambda name: {"eurusd": "demo"}.get(name, ""), pace=pace,
            moved=lambda: self.places.append(self.postman.at),
            note=lambda kind, detail: self.notes.append((kind, detail)),
        )  # fmt: skip

    async def until(self, met: Callable[[], object], what: str) -> None:
        async def look() -> object:
            return met()

        await until(look, what=what)

    async def told(self, count: int) -> list[int]:
        """Wait for so many events, and return their numbers as they were told."""
        await self.until(lambda: sum(one.count for one in self.way.taken) >= count, f"{count} events told")
        return [one["seq"] for message in self.way.taken for one in message.body["events"]]


def run(scene: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(scene(), 120))


def test_what_is_wanted_is_told_in_order_and_the_place_goes_on_behind_it():
    async def scene() -> None:
        world = World(Log(event(1), event(2, "running"), event(3), event(4, "running")), Way())
        world.postman.start()
        assert [1, 3] == await world.told(2)
        await world.until(lambda: world.places, "the place to move")
        assert [4] == world.places
        world.log.add(event(5, "running"))
        await world.until(lambda: world.postman.at == 5, "what nobody wants to be passed over")
        world.log.add(event(6))
        assert [1, 3, 6] == await world.told(3)
        await world.postman.stop()
        assert (True, 6, 0, "ok") == (
            world.way.closed, world.postman.at, world.postman.waiting, world.postman.state,
        )  # fmt: skip

    run(scene)


def test_a_burst_behind_a_message_under_way_goes_as_one():
    async def scene() -> None:
        release = asyncio.Event()
        world = World(Log(event(1)), Way(release))
        world.postman.start()
        await world.until(lambda: world.way.sent, "the first message")
        world.log.add(*(event(n) for n in range(2, 502)))
        await world.until(lambda: world.postman.waiting == 501, "the burst to gather")
        assert 0 == world.postman.at
        release.set()
        await world.until(lambda: len(world.way.taken) == 2, "the second message")
        assert [1, 500] == [one.count for one in world.way.taken]
        assert ["h-pager-1-1", "h-pager-2-501"] == [one.id for one in world.way.taken]
        await world.postman.stop()

    run(scene)


def test_what_was_under_way_when_it_ended_comes_again_under_its_number():
    async def scene() -> None:
        log = Log(event(1, "running"), event(2), event(3))
        first = World(log, Way(None))
        first.postman.start()
        await first.until(lambda: first.way.sent, "the first attempt")
        await first.postman.stop()
        assert 1 == first.postman.at
        log.add(event(4))
        second = World(log, Way(), at=first.postman.at)
        second.postman.start()
        assert [2, 3, 4] == await second.told(3)
        await second.postman.stop()
        assert 4 == second.postman.at

    run(scene)


def test_a_target_that_hangs_is_given_up_on_and_tried_again_with_the_same_message():
    async def scene() -> None:
        # The second answer comes without a wait, so no time is too short for it.
        world = World(Log(event(1)), Way(None), pace=replace(QUICK, timeout=0.01))
        world.postman.start()
        assert [1] == await world.told(1)
        assert world.way.sent == [world.way.taken[0]] * 2
        tallies = world.postman.tallies
        assert (1, 1, "no answer within 0.01 s") == (tallies.delivered, tallies.failures, tallies.last_error)
        await world.postman.stop()

    run(scene)


def test_one_that_fails_again_and_again_is_told_to_the_others_once_and_when_it_is_back():
    async def scene() -> None:
        world = World(Log(event(1)), Way(*[NotDelivered("no route")] * 7, ValueError("secret")))
        world.postman.start()
        assert [1] == await world.told(1)
        await world.until(lambda: len(world.notes) == 2, "both notes")
        assert [
            ("target_down", "pager: 3 failures in a row: no route"),
            ("target_up", "pager: it takes messages again"),
        ] == world.notes
        assert (8, "it failed with ValueError") == (
            world.postman.tallies.failures, world.postman.tallies.last_error,
        )  # fmt: skip
        assert "ok" == world.postman.state
        await world.postman.stop()

    run(scene)


def test_a_mistake_of_ours_ends_that_target_and_is_told_to_the_others():
    async def scene() -> None:
        world = World(Log(event(1)), Way())
        world.postman._owner = lambda name: {}[name]
        world.postman.start()
        await world.until(lambda: world.notes, "the note")
        told = "the daemon failed with KeyError: see its log"
        assert [("target_down", f"pager: {told}")] == world.notes
        assert ("cut_off", told) == (world.postman.state, world.postman.tallies.last_error)
        await world.postman.stop()
        assert 0 == world.postman.at

    run(scene)


def test_what_is_refused_for_good_is_dropped_and_the_next_is_told():
    async def scene() -> None:
        world = World(Log(event(1)), Way(Undeliverable("400 bad")))
        world.postman.start()
        await world.until(lambda: world.places, "the place to move")
        world.log.add(event(2))
        assert [2] == await world.told(1)
        assert (1, 1, "refused for good: 400 bad") == (
            world.postman.tallies.dropped, world.postman.tallies.delivered, world.postman.tallies.last_error,
        )  # fmt: skip
        await world.postman.stop()

    run(scene)


def test_one_that_is_cut_off_says_so_and_waits():
    async def scene() -> None:
        pace = replace(QUICK, failures=1, cool_down=10_000.0)
        world = World(Log(event(1)), Way(NotDelivered("no route")), pace=pace)
        world.postman.start()
        await world.until(lambda: world.notes, "it to be cut off")
        assert ("cut_off", 1, 0, 1) == (
            world.postman.state, world.postman.waiting, world.postman.at, len(world.way.sent),
        )  # fmt: skip
        await world.postman.stop()

    run(scene)


def test_who_was_cut_off_from_the_log_asks_again_by_the_number(monkeypatch):
    monkeypatch.setattr("supervisor.notifying.postman.AGAIN", 0.0)

    async def scene() -> None:
        log = Log(event(1))
        log.cut_off = True
        world = World(log, Way())
        world.postman.start()
        assert [1] == await world.told(1)
        log.add(event(2))
        assert [1, 2] == await world.told(2)
        await world.postman.stop()

    run(scene)


def test_a_long_past_leaves_the_loop_to_others():
    async def scene() -> None:
        world = World(Log(*(event(n) for n in range(1, 5001))), Way())
        world.postman.start()
        await world.until(lambda: world.way.sent, "the first message")
        assert world.way.sent[0].count < 5000, "it went before all of the past was looked at"
        await world.until(lambda: sum(one.count for one in world.way.taken) == 5000, "all of it told")
        await world.postman.stop()

    run(scene)


@pytest.mark.parametrize(
    ("after", "again"), [(None, True), (0.0, True), (30.0, 30.0), (1e9, LONGEST_RETRY_AFTER)]
)
def test_it_comes_again_when_the_other_end_says_within_bounds(after, again):
    assert again == _again(NotDelivered("busy", retry_after=after))


def test_a_mistake_of_ours_is_not_tried_again():
    assert not _again(KeyError())
