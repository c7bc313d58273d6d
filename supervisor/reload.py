"""Reading the settings again while everything runs: all of what is new, or nothing and why not.

Asked for by SIGHUP (``systemctl reload``) or over the API (``stratd reload``); one at a time.

Rules of this file. A file with a mistake changes nothing. What is new is for what comes: no instance is
touched, what was stopped is not started, and a deployment keeps the quota that it was started with. What
can change only with the daemon stays as it was, and is named (``supervisor.config.reloading`` says which).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from supervisor.admitting import Admission
from supervisor.capacity import Capacity
from supervisor.catalogue import Catalogue
from supervisor.config import Settings
from supervisor.config.merging import Merged, merge
from supervisor.dependants import Dependants, OnLoss
from supervisor.errors import Failed, SettingsError
from supervisor.events import EventLog
from supervisor.feeds import Calendars
from supervisor.host import Host, policy_of
from supervisor.log_setup import configure_log
from supervisor.opt_in import OptIns
from supervisor.quota import Limits, Usage
from supervisor.schema import RescanResult
from supervisor.schema.ops import ReloadResult
from supervisor.systemd import Notifier
from supervisor.verbs import Verbs

Follower = Callable[[Settings], Awaitable[list[str]]]
"""Told of the settings in force after each reload; returns what it could not take, a sentence each."""


def rules_of(settings: Settings) -> dict[str, Any]:
    """Return the fields of ``Host`` that the settings say."""
    quota = settings.quota
    return {
        "policy": policy_of(settings.restart),
        "budgets": settings.budgets.budgets(),
        "limits": quota.limits,
        "usage": lambda memory, cpu: Usage(
            memory=memory, cpu=cpu, window=quota.cpu_window, cpu_policy=quota.cpu_policy
        ),
        "require": tuple(settings.sandbox.require or ()),
    }


def admission_of(settings: Settings, processes: Callable[[], dict[str, int | None]]) -> Admission:
    """Return who may start, and with what where the start does not say."""
    limits = settings.limits
    return Admission(
        limits=Limits(limits.max_concurrent, limits.max_per_account),
        shortage=Capacity(settings.state_dir, processes, limits.rules()).shortage,
        defaults=settings.quota,
        opt_ins=OptIns(
            settings.live.enabled,
            {name: account.terms(name) for name, account in settings.accounts.items()},
        ),
    )


class Parts(Protocol):
    """What is changed of the daemon."""

    settings: Settings
    events: EventLog
    host: Host
    verbs: Verbs
    catalogue: Catalogue
    problems: dict[str, str]
    on_loss: dict[str, OnLoss]
    dependants: Dependants
    notifier: Notifier
    calendars: Calendars
    stopping: bool

    @property
    def processes(self) -> dict[str, int | None]:
        """Its own processes by name."""
        ...

    async def tell_settings(self) -> None:
        """Tell the engine of the settings as they are now."""
        ...

    async def rescan(self) -> RescanResult:
        """Look for strategies again."""
        ...


class Reloading:
    """Puts new settings in place of the old ones. ``reread`` reads them; without it the folders alone."""

    def __init__(self, daemon: Parts, reread: Callable[[], Settings] | None) -> None:
        self._daemon = daemon
        self._reread = reread
        self._one = asyncio.Lock()
        self.followers: list[Follower] = []

    async def at_signal(self) -> None:
        """As ``now``; what is wrong is told by an event and in the daemon's problems."""
        try:
            await self.now()
        except (SettingsError, Failed):
            return

    async def now(self) -> ReloadResult:
        """Read and put in place. Raises ``SettingsError`` with every mistake, ``Failed`` while stopping."""
        async with self._one:
            daemon = self._daemon
            if daemon.stopping:  # what is being stopped must not be started
                raise Failed("the daemon is stopping; its next start reads the settings")
            # Of one clock and before anything is done, or systemd takes it for an older one (sd_notify(3)).
            daemon.notifier.say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            status = "settings not read again, as stratd status says why"
            try:
                result = await self._everything()
                status = "settings read again"
                return result
            finally:
                daemon.notifier.say("READY=1", f"STATUS={status}")

    async def _everything(self) -> ReloadResult:
        if self._reread is None:
            return ReloadResult(strategies=await self._daemon.rescan())
        try:
            merged = merge(self._daemon.settings, await asyncio.to_thread(self._reread))
            await self._check_calendars(merged.settings)
        except SettingsError as error:
            told = "; ".join(error.errors)
            problem = f"the settings were not read again, and stay as they were: {told}"
            self._daemon.problems["settings"] = problem
            self._daemon.events.note("reload_refused", told)
            raise
        self._daemon.problems.pop("settings", None)
        problems = await self._put(merged)
        changed = f"changed: {', '.join(merged.changed)}" if merged.changed else "nothing changed"
        waits = f"; to be restarted for: {', '.join(merged.waits)}" if merged.waits else ""
        self._daemon.events.note("reloaded", changed + waits)
        found = await self._daemon.rescan()
        return ReloadResult(
            changed=merged.changed, needs_restart=merged.waits, problems=problems, strategies=found
        )

    async def _check_calendars(self, fresh: Settings) -> None:
        """Raise ``SettingsError`` for a calendar that cannot be had: it would close a feed that is open."""
        known = {feed.calendar for feed in self._daemon.settings.feeds.values()}
        wrong = []
        for name, feed in fresh.feeds.items():
            if feed.calendar in known or not feed.calendar:
                continue
            try:
                await asyncio.to_thread(self._daemon.calendars, [feed.calendar])
            except Exception as error:  # noqa: BLE001  (the wall: whatever it is, the feed would be closed)
                wrong.append(f'feeds.{name}.calendar = "{feed.calendar}": {error}')
        if wrong:
            raise SettingsError(wrong)

    async def _put(self, merged: Merged) -> list[str]:
        """Put the settings in place; return what could not be taken by whoever follows them."""
        daemon, before = self._daemon, self._daemon.settings
        daemon.settings = settings = merged.settings
        if settings.log != before.log:
            configure_log(settings)
        for field, rule in rules_of(settings).items():
            setattr(daemon.host, field, rule)
        daemon.verbs.admission = admission_of(settings, lambda: daemon.processes)
        daemon.catalogue.look_in(settings.strategies.path)
        daemon.on_loss.clear()
        daemon.on_loss.update({name: feed.on_loss for name, feed in settings.feeds.items()})
        daemon.dependants.let_go()
        await daemon.tell_settings()
        return [problem for follow in self.followers for problem in await follow(settings)]
