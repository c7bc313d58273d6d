"""The event log: numbered, durable before shown, and nobody who looks can hold it up."""

from __future__ import annotations

import asyncio

import structlog

from supervisor import broadcast, events
from supervisor.events import EventLog
from supervisor.store.deployments import DeploymentStore, StoreError
from supervisor.store.high_mark import HighMark
from supervisor.store.tables import Event
from tests.waiting import turn, until


class Disk:
    """A store in memory that can be full, and that can be slow."""

    def __init__(self) -> None:
        self.rows: list[Event] = []
        self.full = self.broken = False
        self.free = asyncio.Event()
        self.free.set()

    def last_event(self) -> int:
        return self.rows[-1].seq if self.rows else 0

    def newest_events(self, limit: int, of: dict[str, int] | None = None) -> list[Event]:
        return self._of(of)[-limit:]

    def events(self, after: int, limit: int, of: dict[str, int] | None = None) -> list[Event]:
        return [row for row in self._of(of) if row.seq > after][:limit]

    def _of(self, names: dict[str, int] | None) -> list[Event]:
        if self.broken:
            raise StoreError("the disk is gone")
        return [row for row in self.rows if names is None or row.deployment_id in names]

    def add_events(self, events: list[Event]) -> None:
        if self.full:
            raise StoreError("the disk is full")
        self.rows += events

    async def run(self, call):
        await self.free.wait()
        return call()


async def started(disk: Disk, mark: HighMark | None = None) -> EventLog:
    log = EventLog(disk, disk.run, wall=lambda: 7, mark=mark)
    await log.start()
    return log


async def collect(log: EventLog, count: int, **how) -> list[int]:
    seen = []
    async for event in log.read(**how):
        seen.append(event.seq)
        if len(seen) == count:
            break
    return seen


def test_an_event_is_shown_only_after_it_is_durable():
    async def scenario():
        disk = Disk()
        log = await started(disk)
        follower = asyncio.create_task(collect(log, 1, after=0, follow=True))
        await turn()
        disk.free.clear()
        log.note("born", "d", "a", 3)
        for _ in range(20):
            await turn()
        assert not follower.done()
        assert disk.rows == []
        disk.free.set()
        assert await follower == [1]
        assert disk.rows == [Event(1, 7, "born", "a", 3, "d")]
        await log.stop()

    asyncio.run(scenario())


def test_what_went_wrong_is_told_at_log_level_warning_too():
    async def scenario():
        log = await started(Disk())
        with structlog.testing.capture_logs() as told:
            log.note("problem", "the disk is full")
            log.note("running", "", "a", 3)
        assert [(line["event"], line["log_level"]) for line in told] == [
            ("problem", "warning"),
            ("running", "info"),
        ]
        await log.stop()

    asyncio.run(scenario())


def test_numbers_go_on_after_a_restart(tmp_path):
    async def run(expected: int) -> None:
        store = DeploymentStore(f"sqlite:///{tmp_path / 'e.db'}")
        store.open()

        async def in_database(call):
            return call()

        log = EventLog(store, in_database)
        await log.start()
        log.note("a")
        log.note("b")
        await log.stop()
        assert log.seq == expected
        store.close()

    asyncio.run(run(2))
    asyncio.run(run(4))


def test_a_full_disk_stops_nothing_and_is_made_up_for():
    async def scenario():
        disk = Disk()
        log = await started(disk)
        disk.full = True
        log.note("a")
        assert await collect(log, 1, after=0, follow=True) == [1]
        assert (log.unwritten, disk.rows) == (1, [])
        disk.full = False
        log.note("b")
        await log.stop()
        assert [row.seq for row in disk.rows] == [1, 2]
        assert log.unwritten == 0

    asyncio.run(scenario())


def test_what_a_server_took_before_it_went_away_is_not_written_twice():
    async def scenario():
        disk = Disk()
        log = await started(disk)
        take = disk.add_events

        def taken_and_not_answered(events):
            take(events)
            raise StoreError("the connection broke")

        disk.add_events = taken_and_not_answered
        log.note("a")
        assert await collect(log, 1, after=0, follow=True) == [1]
        disk.add_events = take
        log.note("b")
        await log.stop()
        assert [row.seq for row in disk.rows] == [1, 2]

    asyncio.run(scenario())


def test_a_number_that_was_shown_is_not_given_again_though_the_database_never_had_it(tmp_path):
    async def shown_and_not_kept(disk: Disk) -> None:
        log = await started(disk, HighMark(tmp_path / "events.seq"))
        log.note("kept")
        assert await collect(log, 1, after=0, follow=True) == [1]
        disk.full = True
        log.note("shown")
        assert await collect(log, 2, after=0, follow=True) == [1, 2]
        log._task.cancel()  # killed: what was to be written later never is

    async def the_next_one(disk: Disk) -> None:
        log = await started(disk, HighMark(tmp_path / "events.seq"))
        told = await anext(log.read(after=2, follow=True))
        assert (told.seq, told.kind, told.detail.partition(":")[0]) == (3, "events_lost", "2 to 2")
        await log.stop()

    disk = Disk()
    asyncio.run(shown_and_not_kept(disk))
    disk.full = False
    asyncio.run(the_next_one(disk))
    assert [row.seq for row in disk.rows] == [1, 3]


def test_a_number_of_another_log_is_answered_with_all_of_this_one():
    async def scenario():
        disk = Disk()
        log = await started(disk)
        log.note("a")
        assert await collect(log, 1, after=7000, follow=True) == [1]
        await log.stop()

    asyncio.run(scenario())


def test_a_follower_far_behind_gets_page_after_page_and_then_what_comes(monkeypatch):
    monkeypatch.setattr(events, "RING", 10)

    async def scenario():
        disk = Disk()
        disk.rows = [Event(n, n, "old") for n in range(1, 96)]
        log = await started(disk)
        follower = asyncio.create_task(collect(log, 96, after=0, limit=3, follow=True))
        for _ in range(200):
            await turn()
        log.note("new")
        assert await follower == list(range(1, 97))
        await log.stop()

    asyncio.run(scenario())


def test_reading_gives_the_last_ones_or_those_after_a_number():
    async def scenario():
        disk = Disk()
        disk.rows = [Event(n, n, "old") for n in range(1, 2001)]
        log = await started(disk)
        log.note("new")

        async def written() -> bool:
            return disk.rows[-1].kind == "new"

        await until(written, what="the row of the new event")
        assert [event.seq async for event in log.read(limit=3)] == [1999, 2000, 2001]
        assert [event.seq async for event in log.read(after=1999)] == [2000, 2001]
        # Older than what memory holds: from the database, without a hole and without a repetition.
        assert [event.seq async for event in log.read(after=10)] == list(range(11, 2002))
        assert [event.seq async for event in log.read(after=10, limit=2)] == [11, 12]
        await log.stop()

    asyncio.run(scenario())


def test_a_follower_that_joins_misses_and_repeats_nothing():
    async def scenario():
        disk = Disk()
        log = await started(disk)
        log.note("1")
        follower = asyncio.create_task(collect(log, 4, after=0, follow=True))
        await turn()
        for kind in ("2", "3", "4"):
            log.note(kind)
            await turn()
        assert await follower == [1, 2, 3, 4]
        await log.stop()

    asyncio.run(scenario())


def test_whoever_reads_finds_what_was_noted_before_it_asked():
    async def scenario():
        disk = Disk()
        log = await started(disk)
        disk.free.clear()
        log.note("up", deployment_id="a")
        await turn()
        log.note("down", deployment_id="a")  # while the first one is being written
        readers = [asyncio.create_task(collect(log, 2)), asyncio.create_task(collect(log, 2, after=0))]
        last = asyncio.create_task(log.of({"a": 0}, None, 9))
        for _ in range(20):
            await turn()
        assert not any(one.done() for one in (*readers, last))
        disk.free.set()
        assert [[1, 2], [1, 2]] == [await one for one in readers]
        assert [1, 2] == [event.seq for event in await last]
        await log.stop()

    asyncio.run(scenario())


def test_a_database_that_does_not_answer_holds_up_nobody_who_reads_for_long(monkeypatch):
    async def scenario():
        monkeypatch.setattr(events, "PATIENCE", 0.01)
        disk = Disk()
        log = await started(disk)
        log.note("up")
        assert [1] == await collect(log, 1)
        disk.free.clear()
        log.note("down")
        assert [1] == [event.seq async for event in log.read()]
        disk.free.set()
        await log.stop()

    asyncio.run(scenario())


def test_a_slow_follower_is_cut_off_and_others_are_not():
    async def scenario():
        hub: broadcast.Broadcast[int] = broadcast.Broadcast(backlog=3)
        slow, quick = hub.follow(), hub.follow()
        for n in range(5):
            hub.publish([n])
            assert await anext(quick) == n
        assert slow.cut_off
        assert [item async for item in slow] == []
        hub.publish([5])
        assert await anext(quick) == 5

    asyncio.run(scenario())


def test_followers_end_with_the_log():
    async def scenario():
        log = await started(Disk())
        follower = asyncio.create_task(collect(log, 99, after=0, follow=True))
        await turn()
        log.note("last")
        await log.stop()
        assert await follower == [1]

    asyncio.run(scenario())


def test_the_events_of_one_deployment_are_read_in_pages_whether_written_yet_or_not():
    async def scenario():
        disk = Disk()
        log = await started(disk)
        for number in range(1, 9):
            log.note("up", f"{number}", "even" if number % 2 == 0 else "odd")
            if number == 4:
                while len(disk.rows) < 4:
                    await turn()
                disk.full = True
        while log.unwritten < 4:
            await turn()
        pages = [
            [event.seq for event in await log.of({"even": 0}, after, limit)]
            for after, limit in ((None, 3), (None, 99), (0, 1), (2, 2), (4, 9), (8, 9))
        ]
        assert [[4, 6, 8], [2, 4, 6, 8], [2], [4, 6], [6, 8], []] == pages
        disk.broken = True
        assert [2, 4, 6, 8] == [event.seq for event in await log.of({"even": 0}, None, 9)], (
            "what is in memory"
        )
        disk.full = disk.broken = False
        await log.stop()

    asyncio.run(scenario())
