"""Reading the settings again while everything runs (SIGHUP): all of what is new, or nothing and why not.

Rules of this file. A file with a mistake changes nothing. What is new is for what comes: no instance is
touched, what was stopped is not started, and a deployment keeps the quota that it was started with. What
can change only with the daemon stays as it was, and is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from supervisor.capacity import Capacity
from supervisor.catalogue import Catalogue
from supervisor.config import Settings
from supervisor.dependants import Dependants, OnLoss
from supervisor.errors import SettingsError
from supervisor.events import EventLog
from supervisor.host import Host, policy_of
from supervisor.opt_in import OptIns
from supervisor.quota import Limits, Usage
from supervisor.verbs import Admission, Verbs

LIVE = frozenset({
    "limits", "quota", "restart", "budgets", "strategies", "feeds", "signals", "candles", "instruments",
    "paper", "accounts", "live",
})  # fmt: skip
"""Sections that can change while everything runs."""
FIXED = {"quota": ("cgroup", "cpu_policy")}
"""But of these sections, what holds cells that live."""


class Merged(NamedTuple):
    """The settings to go on with; sections that ``changed``, and what ``waits`` for a restart."""

    settings: Settings
    changed: list[str]
    waits: list[str]


def merge(now: Settings, fresh: Settings) -> Merged:
    """Take from ``fresh`` what can change while everything runs. Pure."""
    update: dict[str, Any] = {}
    waits: list[str] = []
    for name in Settings.model_fields:
        ours, theirs = getattr(now, name), getattr(fresh, name)
        if ours == theirs:
            continue
        if name not in LIVE:
            waits.append(name)
            continue
        fixed = {key: getattr(ours, key) for key in FIXED.get(name, ())}
        waits += [f"{name}.{key}" for key, value in fixed.items() if getattr(theirs, key) != value]
        taken = theirs.model_copy(update=fixed) if fixed else theirs
        if taken != ours:
            update[name] = taken
    return Merged(now.model_copy(update=update), list(update), waits)


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

    @property
    def processes(self) -> dict[str, int | None]:
        """Its own processes by name."""
        ...

    async def tell_settings(self) -> None:
        """Tell the engine of the settings as they are now."""
        ...


async def reload(daemon: Parts, reread: Callable[[], Settings]) -> None:
    """Put new settings in place of the old ones, or say why they stay."""
    daemon.problems.pop("settings", None)
    try:
        fresh = await asyncio.to_thread(reread)
    except SettingsError as error:
        told = "; ".join(error.errors)
        daemon.problems["settings"] = f"the settings were not read again, and stay as they were: {told}"
        daemon.events.note("reload_refused", told)
        return
    merged = merge(daemon.settings, fresh)
    daemon.settings = settings = merged.settings
    for field, rule in rules_of(settings).items():
        setattr(daemon.host, field, rule)
    daemon.verbs.admission = admission_of(settings, lambda: daemon.processes)
    daemon.catalogue.look_in(settings.strategies.path)
    daemon.on_loss.clear()
    daemon.on_loss.update({name: feed.on_loss for name, feed in settings.feeds.items()})
    daemon.dependants.let_go()
    await daemon.tell_settings()
    changed = f"changed: {', '.join(merged.changed)}" if merged.changed else "nothing changed"
    waits = f"; to be restarted for: {', '.join(merged.waits)}" if merged.waits else ""
    daemon.events.note("reloaded", changed + waits)
