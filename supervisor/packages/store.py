"""The packages of all strategies of one daemon: each lock installed once, whoever waits for it. For its loop.

Rules of this file. Nothing here blocks but a look whether a folder is there: installing is for worker threads
(each waits for one uv, which dies with it: PR_SET_PDEATHSIG is about threads). An installation that nobody
waits for any more is given up.
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from strategies.requirements import Lock
from supervisor.packages import install, plan
from supervisor.paths import home

WORKERS = 2
"""Installations at a time; others wait their turn."""
MARGIN = 30.0
"""Seconds beyond the timeout of an installation: to end it, and to sync what it made."""

T = TypeVar("T")


def find_uv() -> str | None:
    """Return the uv that was installed with stratd, else the one on PATH, else None."""
    own = Path(sysconfig.get_path("scripts"), "uv")
    return str(own) if os.access(own, os.X_OK) else shutil.which("uv")


def own_folder(environ: Mapping[str, str]) -> Path:
    """Return where a user's own installations are: a cache, which may be deleted (XDG Base Directory)."""
    cache = environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if cache.startswith("/") else home(environ) / ".cache") / "stratd" / "packages"


def this_platform() -> plan.Platform:
    """Return for what packages are chosen: the interpreter of the daemon is the one of its cells."""
    return plan.Platform(platform.python_version(), str(sysconfig.get_config_var("SOABI")))


class _Running:
    """One installation, and how many wait for it."""

    def __init__(self, future: asyncio.Future[install.Weight], cancelled: threading.Event) -> None:
        self.future = future
        self.cancelled = cancelled
        self.waiters = 0


class PackageStore:
    """Installations under ``folder``, by content. ``uv`` None: there is none.

    ``kept`` returns the keys that are in use or will be; of the others, old ones go when a new one comes.
    """

    def __init__(
        self,
        folder: Path,
        source: plan.Source,
        bounds: plan.Bounds,
        *,
        uv: str | None,
        kept: Callable[[], set[str]] = set,
    ) -> None:
        self._folder = folder
        self._kept = kept
        self._source = source
        self._bounds = bounds
        self._uv = uv
        self._platform = this_platform()
        self._running: dict[str, _Running] = {}
        self._workers = ThreadPoolExecutor(WORKERS, "packages")

    def objection(self, lock: Lock | None) -> str:
        """Return why these packages cannot be had here, a clause; "" if they can, or there are none."""
        return plan.objection(lock, self._source, self._uv) if lock else ""

    def key(self, lock: Lock) -> str:
        """Return the name under which these packages are kept."""
        return plan.key(lock, self._platform)

    def find(self, lock: Lock) -> Path | None:
        """Return the folder of these packages, for a cell that is about to use it; None if there is none."""
        site = install.site_of(self._folder, self.key(lock))
        try:
            os.utime(site.parent)  # when it was used last, for ``clean``
        except OSError:
            return None
        return site

    def has(self, lock: Lock) -> bool:
        """Whether these packages are there."""
        return install.site_of(self._folder, self.key(lock)).is_dir()

    @property
    def patience(self) -> float:
        """Seconds that an installation asked for now may take, its turn included."""
        return self._bounds.timeout * (1 + len(self._running) // WORKERS) + MARGIN

    def order(self, lock: Lock) -> install.Order:
        """Write down what is to be installed. There must be no ``objection``."""
        if self._uv is None:
            raise ValueError("there is no uv")
        return install.Order(
            lock=lock,
            key=self.key(lock),
            folder=self._folder,
            source=self._source,
            bounds=self._bounds,
            uv=self._uv,
            python=sys.executable,
        )

    def bring(self, lock: Lock) -> Path:
        """Install these packages if they are not there, and return their folder: for who has no loop.

        Blocks. Raises ``InstallFailed``. There must be no ``objection``.
        """
        try:
            self._prepare()
            install.install(self.order(lock), threading.Event())
            clean(self._folder, {self.key(lock)}, time.time())
        except OSError as error:
            raise install.InstallFailed(f"{install.FAILED}: {error.filename}: {error.strerror}") from None
        site = self.find(lock)
        if site is None:
            raise install.InstallFailed(f"{install.FAILED}: they were removed as soon as they were there")
        return site

    async def ensure(self, lock: Lock) -> install.Weight:
        """Have these packages installed, if they are not. Raises ``InstallFailed``.

        All who ask for the same wait for the same; with the last one that gives up, it is given up.
        """
        order = self.order(lock)
        running = self._running.get(order.key)
        if running is None or running.cancelled.is_set():
            running = self._begin(order)
        running.waiters += 1
        try:
            return await asyncio.shield(running.future)
        finally:
            running.waiters -= 1
            if not running.waiters:
                running.cancelled.set()

    def _begin(self, order: install.Order) -> _Running:
        cancelled, kept = threading.Event(), self._kept() | {order.key, *self._running}

        def work() -> install.Weight:
            weight = install.install(order, cancelled)
            clean(order.folder, kept, time.time())
            return weight

        future = self._on_thread(work)
        running = self._running[order.key] = _Running(future, cancelled)

        def over(future: asyncio.Future[install.Weight]) -> None:
            if self._running.get(order.key) is running:
                del self._running[order.key]
            if not future.cancelled():
                future.exception()  # seen, also if nobody waited until the end

        future.add_done_callback(over)
        return running

    def _on_thread(self, call: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._workers, call)

    # ---- housekeeping -----------------------------------------------------------------------------
    async def start(self) -> None:
        """Make the folder, and remove what an installation that was killed has left. Raises ``OSError``."""
        await self._on_thread(self._prepare)

    def _prepare(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        install.sweep(self._folder)

    async def close(self) -> None:
        """Give up every installation, and wait until none is left."""
        for running in self._running.values():
            running.cancelled.set()
        await asyncio.gather(*(one.future for one in self._running.values()), return_exceptions=True)
        self._workers.shutdown()


def clean(folder: Path, kept: set[str], now: float) -> list[str]:
    """Remove from ``folder`` what ``plan.unused`` names, at ``now`` (unix seconds); return the keys."""
    used = {
        entry.name: entry.stat().st_mtime
        for entry in folder.iterdir()
        if entry.is_dir() and not entry.name.endswith(install.NEW)
    }
    gone = plan.unused(used, kept, now)
    for key in gone:
        install.remove(folder / key)
    return gone
