"""One target at work: what it is told of gathers in one batch, which goes out when the one before has.

Rules of this file. Events are read by number and a place (``at``) moves behind what the other end has taken,
never before: so nothing is lost by whatever dies in between, and what was sent and not yet noted comes again,
under the same numbers. A batch that is being sent does not change, whatever comes meanwhile. Nobody waits for
a target, and nothing that one does wrong gets out of here.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final, Literal, Protocol, TypeAlias

import stamina.instrumentation
import structlog
from msgspec import Struct

from supervisor.notifying.batch import Batch, added
from supervisor.notifying.channel import Channel, ChannelError, NotDelivered, Undeliverable
from supervisor.notifying.choosing import account_of, wants
from supervisor.notifying.target import Target
from supervisor.notifying.wording import Message, message_of
from supervisor.routes import breaker as br
from supervisor.store.tables import Event
from supervisor.tasks import end_task

State: TypeAlias = Literal["ok", "failing", "cut_off"]
BREATH: Final = 200
"""Events looked at in one turn of the loop."""
AGAIN: Final = 1.0
"""Seconds until events are followed again where that has ended."""
LONGEST_RETRY_AFTER: Final = 3600.0
SHORTEST_RETRY_AFTER: Final = 0.1
"""Seconds below which our own pace counts."""
log = structlog.get_logger()


class Pace(Struct, frozen=True, kw_only=True):
    """Seconds. ``gather``: until the first message of a burst. ``timeout``: for one attempt.

    ``wait_first`` to ``wait_most``: before trying again, doubled each time, and at random by up to
    ``wait_first`` more. After ``failures`` in a row it is cut off: tried once in ``cool_down``.
    """

    gather: float = 1.0
    timeout: float = 30.0
    wait_first: float = 1.0
    wait_most: float = 60.0
    failures: int = 5
    cool_down: float = 120.0


class Reads(Protocol):
    """The event log, as far as it is read."""

    def read(
        self, after: int | None = None, limit: int | None = None, *, follow: bool = False
    ) -> AsyncIterator[Event]:
        """Yield events numbered above ``after``, and with ``follow`` those that come."""
        ...


class Tallies(Struct):
    """What has become of messages since the daemon began, or the target changed."""

    delivered: int = 0
    dropped: int = 0
    """Messages that the other end refused for good."""
    failures: int = 0
    """Attempts that came to nothing."""
    last_error: str = ""
    last_error_at: int | None = None
    last_delivered_at: int | None = None


class Postman:
    """Tells ``target`` of what happens after event ``at``.

    ``moved`` is awaited whenever its place has moved by a message; ``note`` takes an event.
    """

    def __init__(
        self,
        target: Target,
        channel: Channel,
        events: Reads,
        *,
        at: int,
        host: str,
        owner: Callable[[str], str],
        moved: Callable[[], None],
        note: Callable[[str, str], None],
        pace: Pace,
    ) -> None:
        self.target = target
        self.tallies = Tallies()
        self._channel = channel
        self._events = events
        self._host = host
        self._owner = owner
        self._moved = moved
        self._note = note
        self._pace = pace
        self._batch = Batch()
        self._seen = at
        self._at = at
        self._under_way: Message | None = None
        self._wake = asyncio.Event()
        self._breaker = br.Breaker(failures=pace.failures, cool_down=pace.cool_down)
        self._broken = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def at(self) -> int:
        """The number of the event up to which nothing is left to be told."""
        idle = self._under_way is None and not self._batch.count
        return self._seen if idle else self._at

    @property
    def waiting(self) -> int:
        """Events that it is still to be told of."""
        return self._batch.count + (self._under_way.count if self._under_way else 0)

    @property
    def state(self) -> State:
        """Whether messages arrive."""
        if self._broken or self._breaker.opened_at is not None:
            return "cut_off"
        return "failing" if self._breaker.in_a_row else "ok"

    def start(self) -> None:
        """Begin; nothing waits for the other end."""
        stamina.instrumentation.set_on_retry_hooks([])  # what matters is told here, once
        for work in (self._gather, self._deliver):
            self._tasks.append(asyncio.create_task(self._walled(work), name=f"notify {self.target.name}"))

    async def stop(self) -> None:
        """End. What was under way is sent again by whoever goes on from ``at``."""
        for task in self._tasks:
            await end_task(task)
        await self._channel.close()

    async def _walled(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Wall: a mistake of ours is told of, and ends this target's messages and nothing else."""
        try:
            await work()
        except Exception as error:
            log.exception("target_failed", target=self.target.name)
            self._broken = True
            self.tallies.last_error = f"the daemon failed with {type(error).__name__}: see its log"
            self._note("target_down", f"{self.target.name}: {self.tallies.last_error}")

    # ---- in --------------------------------------------------------------------------------------
    async def _gather(self) -> None:
        """Take what happens, for ever; one that could not be followed any more is asked for by its number."""
        while True:
            looked_at = 0
            async for event in self._events.read(self._seen, follow=True):
                self._take(event)
                looked_at += 1
                if looked_at % BREATH == 0:
                    await asyncio.sleep(0)
            await asyncio.sleep(AGAIN)

    def _take(self, event: Event) -> None:
        account = account_of(event, self._owner)
        if wants(self.target, event, account):
            if not self._batch.count and self._under_way is None:
                self._at = self._seen  # all before this one was of no interest
            self._batch = added(self._batch, event, account)
            self._wake.set()
        self._seen = event.seq

    # ---- out -------------------------------------------------------------------------------------
    async def _deliver(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._pace.gather)
            self._wake.clear()
            batch, upto = self._batch, self._seen
            message = message_of(batch, host=self._host, target=self.target.name)
            self._batch, self._under_way = Batch(), message
            await self._until_settled(message)
            self._under_way = None
            self._at = upto
            self._moved()
            await asyncio.sleep(max(0.0, self.target.every - self._pace.gather))

    async def _until_settled(self, message: Message) -> None:
        """Try until the other end has taken it, or never will."""
        attempts = stamina.retry_context(
            on=_again,
            attempts=None,  # what was not delivered is old news one day, and still news
            timeout=None,
            wait_initial=self._pace.wait_first,
            wait_max=self._pace.wait_most,
            wait_jitter=self._pace.wait_first,
        )
        async for attempt in attempts:
            with attempt:
                await self._may_try()
                await self._attempt(message)

    async def _may_try(self) -> None:
        loop = asyncio.get_running_loop()
        while br.state(self._breaker, loop.time()) == "open":
            opened = self._breaker.opened_at or 0.0
            await asyncio.sleep(max(0.0, opened + self._pace.cool_down - loop.time()))

    async def _attempt(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._pace.timeout):
                await self._channel.send(message)
        except Undeliverable as error:
            self.tallies.dropped += 1
            self._failed(f"refused for good: {error}")
        except NotDelivered as error:
            self._failed(str(error))
            raise
        except TimeoutError:
            self._failed(why := f"no answer within {self._pace.timeout:g} s")
            raise NotDelivered(why) from None
        except Exception as error:  # noqa: BLE001  (the wall around a kind of target; its text may hold a secret)
            self._failed(why := f"it failed with {type(error).__name__}")
            raise NotDelivered(why) from None
        else:
            self._well()

    def _failed(self, why: str) -> None:
        tallies = self.tallies
        tallies.failures += 1
        tallies.last_error, tallies.last_error_at = why, time.time_ns()
        log.warning("not_notified", target=self.target.name, detail=why)
        was = self._breaker.opened_at
        self._breaker = br.failed(self._breaker, why, asyncio.get_running_loop().time())
        if was is None and self._breaker.opened_at is not None:
            self._note(
                "target_down", f"{self.target.name}: {self._breaker.in_a_row} failures in a row: {why}"
            )

    def _well(self) -> None:
        self.tallies.delivered += 1
        self.tallies.last_delivered_at = time.time_ns()
        if self._breaker.opened_at is not None:
            self._note("target_up", f"{self.target.name}: it takes messages again")
        self._breaker = br.well(self._breaker)


def _again(error: Exception) -> bool | float:
    """Whether to try again, and when, if the other end has said when."""
    if not isinstance(error, ChannelError):
        return False
    after = error.retry_after if isinstance(error, NotDelivered) else None
    if after is None or after < SHORTEST_RETRY_AFTER:
        return True
    return min(after, LONGEST_RETRY_AFTER)
