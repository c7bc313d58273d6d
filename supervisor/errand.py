"""What an instance needs before it can be: its packages, fetched beside the queue of its deployment.

Rules of this file. It changes no life: it submits events, and the lifecycle says what they mean. A fetch is
of one generation; whoever ends that generation gives it up, and then somebody must say that it ended: this
does, since there never was a process that could.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from strategies.requirements import Lock
from supervisor import life as lf
from supervisor.cells import UNBORN
from supervisor.events import EventLog
from supervisor.logs import LogBook
from supervisor.packages.install import InstallFailed
from supervisor.packages.plan import counted
from supervisor.packages.store import PackageStore
from supervisor.tasks import end_task


class Errand:
    """Fetches for one deployment, by its ``name``, and tells of it by ``submit``."""

    def __init__(
        self,
        name: str,
        packages: PackageStore,
        events: EventLog,
        book: LogBook,
        submit: Callable[[lf.Event], None],
    ) -> None:
        self._name = name
        self._packages = packages
        self._events = events
        self._book = book
        self._submit = submit
        self._generation = 0
        self._used: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def keys(self, lock: Lock | None) -> set[str]:
        """Return the keys of what was fetched last and of what ``lock`` names."""
        return self._used | ({self._packages.key(lock)} if lock else set())

    def fetch(self, generation: int, lock: Lock | None) -> str | None:
        """Return the folder of what ``lock`` names, "" if it is nothing; None if it is not there yet.

        Then ``Preparing`` follows, and later ``Prepared``, or ``Ended`` with the reason.
        """
        self._task = None
        if lock is None:
            self._used = set()
            return ""
        self._used = {self._packages.key(lock)}
        if (site := self._packages.find(lock)) is not None:
            return str(site)
        what = f"installing {counted(lock)}"
        self._events.note("installing", what.removeprefix("installing "), self._name, generation)
        self._submit(lf.Preparing(generation, self._packages.patience, what))
        self._generation = generation
        self._task = asyncio.create_task(self._install(generation, lock), name=f"packages of {self._name}")
        return None

    async def _install(self, generation: int, lock: Lock) -> None:
        begun = time.monotonic()
        try:
            weight = await self._packages.ensure(lock)
        except InstallFailed as error:
            # Into its log, and with that onto the record of its death.
            now = time.time_ns()
            self._book.write(generation, [(now, "stratd", line) for line in error.output])
            self._submit(lf.Ended(generation, "load_error", str(error)))
            return
        took, size = time.monotonic() - begun, weight.size / 2**20
        self._events.note("installed", f"{took:.1f} s, {size:,.0f} MiB", self._name, generation)
        self._submit(lf.Prepared(generation))

    def give_up(self, generation: int) -> bool:
        """End the fetch for ``generation`` and say that it ended; False if there is none."""
        if self._task is None or self._generation != generation:
            return False
        self._task.cancel()
        self._submit(lf.Ended(generation, "operator", UNBORN))
        return True

    async def close(self) -> None:
        """End what is under way, and say nothing more."""
        await end_task(self._task)
