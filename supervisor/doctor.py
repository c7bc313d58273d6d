"""What this host can enforce and what stratd holds on it, layer by layer (``stratd doctor``).

Honest by construction: a layer is ``active`` only if a cell that was started for the purpose got it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bus.sessions import CalendarError
from sandbox.confine import probe, visible
from sandbox.confine.probe import Finding
from sandbox.confine.survey import NEEDED, Survey
from supervisor.calendars import load
from supervisor.checkup import certificate, clock, kernel, place, reach, state
from supervisor.checkup.distribution import Family, host_family
from supervisor.config import Settings
from supervisor.quantities import format_size
from supervisor.schema import DoctorReport, LayerView, SandboxView
from supervisor.survey import examine_host
from supervisor.trust import refusal

DESCRIPTORS_A_CELL = 6
"""Control channel, two pidfds, log file, and two to spare."""
DESCRIPTORS_OF_THE_DAEMON = 128
LOCAL_CONFIGURATION = Path("/usr/local/etc")
"""All of /usr is shown to every cell; this is where configuration, and keys in it, may lie (FHS 4.9)."""


def examine(
    settings: Settings,
    survey: Callable[[str], Survey] = examine_host,
    look: Callable[[], Finding] = visible.look,
) -> DoctorReport:
    """Probe the host; takes some hundred milliseconds, changes nothing, needs no daemon."""
    found, family, seen = survey(settings.sandbox.setting), host_family(), look()
    host = [
        LayerView(name="kernel", state="active", detail=probe.kernel()),
        _folder("state directory", settings.state_dir),
        _folder("runtime directory", settings.runtime_dir),
        state.look(settings.state_dir, metadata.version("stratd")),
        place.disk(settings.state_dir, settings.limits.disk_reserve),
        *_network(settings, family),
        _memory(settings),
        _descriptors(settings),
        *_strategy_folders(settings),
        *_calendars(settings),
        *local_configuration(LOCAL_CONFIGURATION),
        clock.look(family),
        *kernel.look(),
        place.unit(),
        sampler(seen, grouped=found.has("cgroup")),
    ]
    sandbox = layers(found, sees=seen.found)
    demanded = demands(found, settings.sandbox.require)
    missing = [view.name for view in sandbox if view.state == "missing" and view.name in demanded]
    missing += [view.name for view in host if view.state == "missing"]
    return DoctorReport(
        verdict=verdict(found, settings.sandbox.require or ()), sandbox=sandbox, host=host, missing=missing
    )


def demands(survey: Survey, require: Sequence[str] | None) -> Sequence[str]:
    """Return the layers that must be there: of ``[sandbox] require``, else what a stranger's code needs."""
    return NEEDED[survey.setting] if require is None else require


def verdict(survey: Survey, require: Sequence[str]) -> SandboxView:
    """Return how cells are confined, and whether a stranger's code may run."""
    return SandboxView(
        setting=survey.setting,
        refusal=refusal(survey, require),
        without=[layer.name for layer in survey.layers if not layer.active],
    )


def layers(survey: Survey, *, sees: bool = True) -> list[LayerView]:
    """Return the layers of the sandbox, and who else holds a cell to its bounds.

    ``sees``: whether psutil sees the strategies.
    """
    return [
        *(
            LayerView(
                name=layer.name,
                state="active" if layer.active else "missing",
                detail=layer.detail,
                command="" if layer.active else layer.command,
            )
            for layer in survey.layers
        ),
        *_quotas(grouped=survey.has("cgroup"), sees=sees),
        LayerView(name="hang watchdog", state="active", detail="a call over its budget: stack, then SIGKILL"),
    ]


def _quotas(*, grouped: bool, sees: bool) -> list[LayerView]:
    if sees:
        memory = "control group, else RLIMIT_DATA; above both the sampler, four times a second"
        cpu = "control group, else stopped and let go on by turns; or as [quota] cpu_policy says"
    else:
        memory = "control group alone, and RLIMIT_DATA" if grouped else "RLIMIT_DATA alone"
        memory += ": no strategy is seen by the sampler"
        cpu = "control group alone" if grouped else "nothing: no strategy is seen, nor can be stopped"
    return [
        LayerView(name="memory quota", state="active" if grouped or sees else "available", detail=memory),
        LayerView(name="cpu quota", state="active" if grouped or sees else "missing", detail=cpu),
    ]


def sampler(seen: Finding, *, grouped: bool) -> LayerView:
    """Say whether the sampler sees the strategies; ``grouped``: control groups hold them. Pure."""
    if seen.found:
        return LayerView(name="sampler", state="active", detail=seen.detail)
    unheld = "what they use is not known" if grouped else "nothing holds them to their share of the processor"
    return LayerView(
        name="sampler",
        state="available" if grouped else "missing",
        detail=f"{seen.detail} (ProtectProc= of a unit does so): {unheld}",
        command=f"mount -o remount,gid={os.getegid()} /proc",
    )


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


def _network(settings: Settings, family: Family) -> list[LayerView]:
    views = reach.look(settings, family)
    if settings.redis.url is None:
        views.append(LayerView(name="redis", state="off", detail="no mirror: set REDIS_URL to have one"))
    return [
        *views,
        place.port(settings.api, settings.api_socket),
        *certificate.look(settings.api, datetime.now(UTC)),
    ]


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


def local_configuration(folder: Path) -> list[LayerView]:
    """Return a warning of files in ``folder`` that every strategy can read; nothing where there are none."""
    cells_are_others = os.geteuid() == 0
    found = []
    for at, _, names in os.walk(folder):
        for path in (Path(at, name) for name in names):
            for_all = path.is_file() and bool(path.stat().st_mode & 0o004)
            if for_all or (not cells_are_others and os.access(path, os.R_OK)):
                found.append(path)
    if not found:
        return []
    example = min(found)
    return [
        LayerView(
            name="readable in cells",
            state="available",
            detail=f"{len(found)} in {folder}, {example} say: see that no key is among them",
            command=f"chmod o-r {example}" if cells_are_others else f"mv {example} elsewhere, out of /usr",
        )
    ]


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
