"""The hub: what happens, told once to everybody who listens.

Rules of this file. Nothing runs while nobody listens, and a source only while somebody wants a topic of it. A
listener is never waited for: it has a queue of its own, and is cut off when that is full. A hub's place
(``_at``) moves in the step in which messages are put into the queues; so a listener that begins to follow
knows exactly what it must still read, and gets each event and each record once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Protocol

import structlog

from supervisor.errors import Refused, Unavailable
from supervisor.logs import Line
from supervisor.schema import DeploymentRow, FeedView
from supervisor.store.journal_stream import Told
from supervisor.store.tables import Event
from supervisor.streaming import records
from supervisor.streaming.cursor import Cursor
from supervisor.streaming.message import Message, Subscription
from supervisor.streaming.pictures import Pictures, removed
from supervisor.streaming.stream import BACKLOG, Stream
from supervisor.streaming.topics import DURABLE, JOURNAL, STATE
from supervisor.tasks import end_task

PAGE = 1000
"""Events or records read at once."""
PERIOD = 1.0
"""Seconds between two pictures."""
SOON = 0.1
"""Seconds after an event in which others may follow, before a picture is taken because of it."""
RETRY = 1.0
"""Seconds until a source that failed is asked again."""
MOST = 256
"""Listeners at once."""
MOST_OF_ONE = 64
"""Listeners with one key: no key keeps the others from listening."""
log = structlog.get_logger()


class World(Protocol):
    """What the hub tells of."""

    def account_of(self, deployment_id: str, at: int | None = None) -> str:
        """Return the account of a deployment, "" of one that is not known, or was not there ``at`` (ns)."""
        ...

    def rows(self) -> list[DeploymentRow]:
        """Return every deployment as it is now."""
        ...

    def feeds(self) -> list[FeedView]:
        """Return every feed as it is now."""
        ...

    def figures(self, rows: Sequence[DeploymentRow]) -> Message:
        """Return the message of the topic metrics, as of now; ``rows`` are all deployments."""
        ...

    def last_event(self) -> int:
        """Return the number of the last event that was published."""
        ...

    def events(self, after: int, n: int | None, *, follow: bool) -> AsyncIterator[Event]:
        """Yield events numbered above ``after``, ascending; with ``follow`` those that come, too."""
        ...

    async def last_record(self) -> int:
        """Return the number of the journal's last record. Raises ``Unavailable``."""
        ...

    async def records(self, after: int, n: int) -> list[Told]:
        """Return at most ``n`` records above ``after``, ascending. Raises ``Unavailable``."""
        ...

    async def journal_beyond(self, seen: int) -> int:
        """Wait until the journal has grown beyond record ``seen``; return where it stands."""
        ...


class Hub:
    """Tells of one ``World``. ``close`` ends every listener."""

    def __init__(self, world: World, *, backlog: int = BACKLOG, period: float = PERIOD) -> None:
        self.world = world
        self._backlog = backlog
        self._period = period
        self._streams: set[Stream] = set()
        self._pictures = Pictures()
        self._at = Cursor()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._nudge = asyncio.Event()
        self._gate = asyncio.Lock()
        self._closed = False
        self.cut_off = 0
        """Listeners that were cut off for being slow, since the daemon began."""

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._streams)

    def wanted(self, *topics: str) -> bool:
        """Whether anybody listens to one of ``topics``."""
        return any(not stream.wanted.topics.isdisjoint(topics) for stream in self._streams)

    async def open(self, wanted: Subscription, last: Cursor | None = None) -> Stream:
        """Return a stream of what comes from now on, with ``last`` of all that is kept since, too.

        Raises ``Refused`` when very many listen already, and ``Unavailable`` if the past cannot be read.
        """
        if self._closed:
            raise Unavailable("the daemon is stopping")
        if len(self._streams) >= MOST:
            raise Refused("streams", f"{MOST} streams are open already; close one")
        if wanted.key and sum(one.wanted.key == wanted.key for one in self._streams) >= MOST_OF_ONE:
            raise Refused("streams", f"{MOST_OF_ONE} streams of this key are open already; close one")
        stream = Stream(
            wanted,
            last or Cursor(),
            past=self._past if last is not None else None,
            leave=self._leave,
            backlog=self._backlog,
        )
        self._streams.add(stream)
        try:
            async with self._gate:
                await self._start_sources(wanted)
            if last is not None:
                stream.at = await self._placed(last, wanted)
            else:
                stream.at = self._at
                stream.begin(self._follow(stream))
        except BaseException:
            await self._leave(stream)
            raise
        return stream

    async def close(self) -> None:
        """End every listener and every source. Twice is fine."""
        self._closed = True
        for stream in list(self._streams):
            stream.end()
        for name in list(self._tasks):
            await end_task(self._tasks.pop(name))

    def publish(self, messages: Sequence[Message]) -> None:
        """Put messages into the queues of those who want them."""
        for stream in list(self._streams):
            if stream.following:
                stream.put(messages)
                self.cut_off += stream.cut_off.is_set()

    def lines(self, deployment_id: str, lines: Sequence[Line]) -> None:
        """Tell what a deployment wrote, if anybody listens."""
        if self._streams and self.wanted("logs"):
            account = self.world.account_of(deployment_id)
            self.publish([records.of_line(deployment_id, account, line) for line in lines])

    # ---- one listener ---------------------------------------------------------------------------
    async def _placed(self, last: Cursor, wanted: Subscription) -> Cursor:
        """Return where a listener stands that had ``last``: a number never given is of another log."""
        event = last.event if last.event <= self.world.last_event() else 0
        record = last.record
        if not wanted.topics.isdisjoint(JOURNAL):
            record = record if record <= await self.world.last_record() else 0
        return Cursor(event, record)

    def _follow(self, stream: Stream) -> Sequence[Message]:
        """Have a listener told what comes from here on; return how everything is at this step."""
        stream.following = True
        return self._pictures.whole(stream.wanted.topics)

    async def _past(self, stream: Stream) -> AsyncIterator[Sequence[Message]]:
        """Yield what a listener missed, up to the present, which it follows from some step of this on."""
        gone: list[Message] = []
        async for page in self._kept(stream):
            gone += [removed(one.deployment_id, one.account) for one in page if _REMOVED in one.data]
            yield page
        whole = self._follow(stream)
        async for page in self._kept(stream):  # what came while the last page was on its way
            yield page
        yield [*(one for one in gone if not self._pictures.knows(one.deployment_id)), *whole]

    async def _kept(self, stream: Stream) -> AsyncIterator[Sequence[Message]]:
        """Yield what is kept of the topics of numbers, page by page, from where the listener stands."""
        account_of = self.world.account_of
        # Of deployments too: that one was removed is told by an event alone.
        after, full = stream.at.event, not stream.wanted.topics.isdisjoint(("events", "deployments"))
        while full:
            found = [event async for event in self.world.events(after, PAGE, follow=False)]
            full = len(found) == PAGE
            after = found[-1].seq if found else after
            yield [records.of_event(event, account_of) for event in found]
        if not stream.wanted.topics.isdisjoint(JOURNAL):
            after, full = stream.at.record, True
            while full:
                told = await self.world.records(after, PAGE)
                full = len(told) == PAGE
                after = told[-1].seq if told else after
                yield [records.of_record(record) for record in told]

    async def _leave(self, stream: Stream) -> None:
        self._streams.discard(stream)
        async with self._gate:
            for name, topics in _SOURCES.items():
                if name in self._tasks and not self.wanted(*topics):
                    await end_task(self._tasks.pop(name))
            for topic in STATE:
                if not self.wanted(topic):
                    self._pictures.forget(topic)

    # ---- the sources ----------------------------------------------------------------------------
    async def _start_sources(self, wanted: Subscription) -> None:
        """Have what ``wanted`` needs running, from where the world stands now."""
        if "journal" not in self._tasks and not wanted.topics.isdisjoint(JOURNAL):
            record = 0
            with contextlib.suppress(Unavailable):  # told of once there is one
                record = await self.world.last_record()
            self._at = Cursor(self._at.event, record)
            self._run("journal", self._follow_journal)
        if "events" not in self._tasks and not wanted.topics.isdisjoint(_SOURCES["events"]):
            self._at = Cursor(self.world.last_event(), self._at.record)
            self._run("events", self._follow_events)
        if not wanted.topics.isdisjoint(STATE):
            self._look()
            if "pictures" not in self._tasks:
                self._run("pictures", self._look_on)

    def _run(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def on() -> None:
            while True:
                try:
                    await work()
                except Unavailable:
                    pass
                except Exception:  # the wall: the others listen on
                    log.exception("stream_failed", source=name)
                await asyncio.sleep(RETRY)

        self._tasks[name] = asyncio.create_task(on(), name=f"stream {name}")

    async def _follow_events(self) -> None:
        async for event in self.world.events(self._at.event, None, follow=True):
            self._at = Cursor(event.seq, self._at.record)
            self.publish([records.of_event(event, self.world.account_of)])
            if event.deployment_id:
                self._nudge.set()

    async def _follow_journal(self) -> None:
        seen = -1
        while True:
            seen = await self.world.journal_beyond(seen)
            full = True
            while full:
                told = await self.world.records(self._at.record, PAGE)
                full = len(told) == PAGE
                if told:
                    self._at = Cursor(self._at.event, told[-1].seq)
                    self.publish([records.of_record(record) for record in told])

    async def _look_on(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + self._period
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), max(0.0, due - loop.time()))
                await asyncio.sleep(min(SOON, max(0.0, due - loop.time())))
            self._nudge.clear()
            self._look(figures=loop.time() >= due)
            if loop.time() >= due:
                due = loop.time() + self._period

    def _look(self, *, figures: bool = True) -> None:
        """Take pictures of what is wanted, and tell what changed."""
        told: list[Message] = []
        figures = figures and self.wanted("metrics")
        rows = self.world.rows() if figures or self.wanted("deployments") else []
        if self.wanted("deployments"):
            told += self._pictures.deployments(rows)
        if self.wanted("feeds"):
            told += self._pictures.feeds(self.world.feeds())
        if figures:
            told += self._pictures.metrics(self.world.figures(rows))
        self.publish(told)


_REMOVED = '"kind":"removed"'
"""Stands in no other place of an event's JSON: a quotation mark inside a text is written with a backslash."""
_SOURCES = {"journal": JOURNAL, "events": DURABLE | STATE, "pictures": STATE}
"""Topics for which each source runs; events make pictures be taken early."""
