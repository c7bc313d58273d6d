"""All deployments at once, for who operates the host: pause them, resume them, empty the daemon of them.

A drained daemon lives, answers and starts nothing. What it ended is still wanted as it was, so ``resume_all``
brings it back, and so does the next daemon: a drain is not kept (an upgrade drains, and restarts).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from supervisor import life as lf
from supervisor.actor import Actor
from supervisor.events import EventLog
from supervisor.life import Policy
from supervisor.schema import ActionResult, Outcome, Selection
from supervisor.verbs import Verbs

PROBLEM: Final = "drained"
ROUNDS: Final = 3
"""How often those are asked to end that a feed has brought back while they ended."""
WHY: Final = (
    "the daemon is drained: nothing is started until `POST /api/v1/system/resume-all`, or its restart"
)
UP: Final = lf.LIVING | {lf.State.BACKOFF}


class Draining:
    """``policy`` is asked for each time: a reload changes it. ``problems`` are the daemon's."""

    def __init__(
        self,
        actors: Mapping[str, Actor],
        verbs: Verbs,
        events: EventLog,
        problems: dict[str, str],
        policy: Callable[[], Policy],
    ) -> None:
        self._actors = actors
        self._verbs = verbs
        self._events = events
        self._problems = problems
        self._policy = policy
        self._one = asyncio.Lock()

    @property
    def drained(self) -> bool:
        """Whether nothing is started."""
        return bool(self._verbs.drained)

    async def pause_all(self, reason: str) -> list[Outcome]:
        """Pause everything that is up and not paused yet."""
        async with self._one:
            return await self._hold(lf.Wanted.RUNNING, self._verbs.pause, reason)

    async def resume_all(self, reason: str, by: str) -> list[Outcome]:
        """Resume what is paused; after a drain bring back what it ended, paused if that was paused."""
        async with self._one:
            if not self.drained:
                return await self._hold(lf.Wanted.PAUSED, self._verbs.resume, reason)
            self._verbs.drained = ""
            self._problems.pop(PROBLEM, None)
            self._events.note("undrained", _told(by, reason))
            back = self._verbs.recover("the daemon is not drained any more")
            return list(await asyncio.gather(*map(_came_back, back)))

    async def drain(self, reason: str, by: str) -> list[Outcome]:
        """Start nothing from now on, and end what is up, in order; answers when it has ended."""
        async with self._one:
            before = {name for name, actor in self._actors.items() if actor.life.state in UP}
            if not self.drained:
                self._verbs.drained = self._problems[PROBLEM] = WHY
                self._events.note("drained", _told(by, reason))
            for _ in range(ROUNDS):
                left = [actor for actor in self._actors.values() if actor.life.state in UP]
                if not left:
                    break
                for actor in reversed(left):
                    actor.submit(lf.Halt("operator", reason or "the daemon is drained"))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.gather(*map(_ended, left)), self._policy().whole_ladder)
            return [
                Outcome(id=name, state=actor.life.state.value, changed=actor.life.state not in UP)
                for name, actor in sorted(self._actors.items())
                if name in before
            ]

    async def _hold(
        self, wanted: lf.Wanted, verb: Callable[..., Awaitable[ActionResult]], reason: str
    ) -> list[Outcome]:
        ids = sorted(
            name
            for name, actor in self._actors.items()
            if actor.life.state in UP and actor.life.wanted is wanted
        )
        if not ids:
            return []
        return (await verb(Selection(ids=ids), reason=reason, wait=True)).outcomes


async def _ended(actor: Actor) -> None:
    await actor.done()
    await actor.wait_for(lambda life: life.state not in UP)


async def _came_back(actor: Actor) -> Outcome:
    await actor.done()
    becoming = {lf.State.STARTING, lf.State.WARMING}
    life = await actor.wait_for(lambda life: life.state not in becoming)
    return Outcome(id=actor.id, state=life.state.value, changed=life.state in UP)


def _told(by: str, reason: str) -> str:
    return f"by {by}: {reason}" if reason else f"by {by}"
