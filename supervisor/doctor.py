"""What this host can enforce and what stratd holds now, layer by layer (``stratd doctor``).

Honest by construction: ``active`` is said only of what every cell of this version gets and what this kernel
was just asked for; what the kernel has and stratd does not use yet is ``available``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bus.sessions import CalendarError
from sandbox.confine import probe
from supervisor.calendars import load
from supervisor.config import Settings
from supervisor.quantities import format_size
from supervisor.redis_ping import ping
from supervisor.schema import DoctorReport, LayerView

NOT_YET = "not used yet: the next version brings it"
DESCRIPTORS_A_CELL = 6
"""Control channel, two pidfds, log file, and two to spare."""
DESCRIPTORS_OF_THE_DAEMON = 128


def examine(settings: Settings) -> DoctorReport:
    """Probe the host; takes some tens of milliseconds, changes nothing, needs no daemon."""
    host = [
        LayerView(name="kernel", state="active", detail=probe.kernel()),
        _folder("state directory", settings.state_dir),
        _folder("runtime directory", settings.runtime_dir),
        _redis(settings),
        _memory(settings),
        _descriptors(settings),
        *_strategy_folders(settings),
        *_calendars(settings),
    ]
    sandbox = layers()
    missing = [
        view.name for view in (*sandbox, *host) if view.state == "missing" and view.name not in OPTIONAL
    ]
    return DoctorReport(sandbox=sandbox, host=host, missing=missing)


OPTIONAL = frozenset({"namespaces", "landlock", "seccomp", "cgroup"})
"""Layers that this version does without, so that no configuration can demand them yet."""


def layers() -> list[LayerView]:
    """Return the layers of the sandbox; the first ones hold in every cell now."""
    return [
        _active("own process", probe.pidfd, "a cell each, own session, SIGKILL with the daemon; pidfd"),
        _active("descriptors", probe.close_range, "the strategy holds 0, 1, 2 and one socket to its warden"),
        LayerView(
            name="environment", state="active", detail="a literal list of names, nothing of the daemon's"
        ),
        LayerView(
            name="limits",
            state="active",
            detail="RLIMIT_DATA, NOFILE, FSIZE, CORE per process; NPROC only binds other users than root"
            if os.geteuid() == 0
            else "RLIMIT_DATA, NOFILE, NPROC, FSIZE, CORE per process",
        ),
        LayerView(
            name="memory quota",
            state="active",
            detail="resident size sampled once a second; killed over the cap",
        ),
        LayerView(name="cpu quota", state="active", detail="share sampled over a window; not throttled"),
        LayerView(name="hang watchdog", state="active", detail="a call over its budget: stack, then SIGKILL"),
        _later(
            "namespaces",
            probe.namespaces,
            "sysctl -w user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1",
        ),
        _later("landlock", probe.landlock, "boot with lsm=landlock,... (Linux 5.13 or newer)"),
        _later("seccomp", probe.seccomp, "a kernel with CONFIG_SECCOMP_FILTER=y"),
        _later(
            "cgroup",
            probe.cgroup,
            "run under the unit (stratd systemd show), booted with systemd.unified_cgroup_hierarchy=1",
        ),
    ]


def _active(name: str, ask: Callable[[], probe.Finding], detail: str) -> LayerView:
    finding = ask()
    if finding.found:
        return LayerView(name=name, state="active", detail=detail)
    return LayerView(name=name, state="missing", detail=finding.detail, command="Linux 5.9 or newer")


def _later(name: str, ask: Callable[[], probe.Finding], command: str) -> LayerView:
    finding = ask()
    if finding.found:
        return LayerView(name=name, state="available", detail=f"{finding.detail}; {NOT_YET}")
    return LayerView(name=name, state="missing", detail=f"{finding.detail}; {NOT_YET}", command=command)


def _folder(name: str, path: Path) -> LayerView:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if there == path and not path.is_dir():
        return LayerView(name=name, state="missing", detail=f"{path} is not a folder", command=f"rm {path}")
    if os.access(there, os.W_OK | os.X_OK):
        return LayerView(
            name=name,
            state="active",
            detail=str(path) if there == path else f"{path}, to be made at the start",
        )
    command = f"install -d -m 0700 -o {os.geteuid()} {path}"
    return LayerView(name=name, state="missing", detail=f"{path}: {there} is not writable", command=command)


def _redis(settings: Settings) -> LayerView:
    if settings.redis.url is None:
        return LayerView(name="redis", state="off", detail="no mirror: set REDIS_URL to have one")
    password = settings.redis.password
    try:
        answer = ping(
            settings.redis.url.get_secret_value(), password.get_secret_value() if password else None
        )
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        return LayerView(name="redis", state="missing", detail=why, command="systemctl start redis-server")
    return LayerView(name="redis", state="active", detail=answer)


def _memory(settings: Settings) -> LayerView:
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    each, most = settings.quota.memory, settings.limits.max_concurrent
    detail = f"{most} deployments of {format_size(each)} on a host of {format_size(have)}"
    if each * most <= have:
        return LayerView(name="memory", state="active", detail=detail)
    fits = max(have // each, 1)
    return LayerView(
        name="memory",
        state="available",
        detail=f"{detail}: overcommitted",
        command=f"limits.max_concurrent = {fits}",
    )


def _descriptors(settings: Settings) -> LayerView:
    hard = probe.most_open_files()
    needed = DESCRIPTORS_OF_THE_DAEMON + DESCRIPTORS_A_CELL * settings.limits.max_concurrent
    detail = f"{needed} of {hard} for {settings.limits.max_concurrent} deployments"
    if needed <= hard:
        return LayerView(name="open files", state="active", detail=detail)
    return LayerView(name="open files", state="missing", detail=detail, command=f"ulimit -Hn {needed}")


def _calendars(settings: Settings) -> list[LayerView]:
    views = []
    for name, feed in settings.feeds.items():
        if not feed.calendar:
            continue
        try:
            with tempfile.TemporaryDirectory(prefix="stratd-") as cache:
                load([feed.calendar], Path(cache), datetime.now(UTC).date())
        except (CalendarError, OSError) as error:
            views.append(LayerView(name="calendar", state="missing", detail=f"feeds.{name}: {error}"))
        else:
            views.append(LayerView(name="calendar", state="active", detail=f"feeds.{name}: {feed.calendar}"))
    return views


def _strategy_folders(settings: Settings) -> list[LayerView]:
    views = []
    for path in settings.strategies.path:
        if not path.is_dir():
            view = LayerView(
                name="strategies", state="off", detail=f"{path}: no such folder", command=f"mkdir -p {path}"
            )
        elif not os.access(path, os.R_OK | os.X_OK):
            view = LayerView(
                name="strategies",
                state="missing",
                detail=f"{path}: not readable",
                command=f"chmod a+rx {path}",
            )
        else:
            view = LayerView(name="strategies", state="active", detail=str(path))
        views.append(view)
    return views
