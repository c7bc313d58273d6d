"""Quotas held by the kernel: a delegated subtree of control group version 2, and what it does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.host.report import Report, Skip
from tests.host.service import (
    PATIENCE,
    ask,
    cell_group,
    fetch,
    has_groups,
    main_pid,
    own_group,
    row,
    run,
    state_of,
    stratd,
    until,
)

SECONDS = 6.0
"""For which a spinner is watched."""
SHARE = 0.2
FORKS = "import os, signal\nfor _ in range(500):\n if os.fork() == 0:\n  signal.pause()"


def check(report: Report) -> None:
    """See each limit bite."""
    report.check("the daemon moved into a leaf of its delegated group", _leaf)
    report.check("a cell's group has every limit, and no swap", _files)
    report.check("the disk is shared out by weight, the daemon first", _weight)
    report.check("who asks for too much is refused, with cause oom", _memory)
    report.check("memory.max ends who takes what nothing else counts, with cause oom", _spilled)
    report.check("nobody else was touched by that", _others)
    report.check("cpu.max holds a spinner to its share", _cpu)
    report.check("pids.max stops a fork bomb in the group of a strategy", _pids)
    report.check("stop empties and removes the group of a cell", _gone)
    report.check("ps names control groups as the enforcers", _enforcers)
    report.check("pressure of a spinner and of the host is told", _pressure)


def need_groups() -> None:
    """Skip where this host has no controllers in version 2."""
    if not has_groups():
        raise Skip("no memory, cpu and pids controllers in cgroup version 2 here")


def start(deployment: str, strategy: str, *more: str) -> None:
    """Start a deployment that reads the ticks of the feed."""
    stratd("start", deployment, "--strategy", strategy, "--symbol", "EURUSD", "--timeframe", "1m", *more)


def numbers(file: Path) -> dict[str, int]:
    """Read a file of "key number" lines."""
    return {key: int(value) for key, value in (line.split() for line in file.read_text().splitlines())}


def _leaf() -> str:
    need_groups()
    group = own_group()
    assert str(main_pid()) in (group / "daemon" / "cgroup.procs").read_text().split()
    assert (group / "cgroup.procs").read_text() == ""
    return (group / "cgroup.subtree_control").read_text().strip()


def _files() -> str:
    need_groups()
    group, quota = cell_group("calm-0"), row("calm-0")["quota"]["memory_mb"] * 2**20
    names = ("memory.max", "memory.high", "memory.swap.max", "memory.oom.group", "cpu.max", "pids.max")
    # A kernel without swap accounting has no file for it.
    said = {name: (group / name).read_text().strip() for name in names if (group / name).exists()}
    assert quota <= int(said["memory.high"]) < int(said["memory.max"]), said
    assert (said.get("memory.swap.max", "0"), said["memory.oom.group"]) == ("0", "1"), said
    return ", ".join(f"{name} {text}" for name, text in said.items())


def _weight() -> str:
    need_groups()
    if "io" not in (own_group() / "cgroup.controllers").read_text().split():
        raise Skip("the io controller is not there")
    cells, daemon = cell_group("calm-0").parent / "io.weight", own_group() / "daemon" / "io.weight"
    if not daemon.exists():
        raise Skip("this kernel does not weigh disks (CONFIG_BLK_CGROUP_IOCOST)")
    said = [file.read_text().split()[-1] for file in (cells, daemon)]
    assert int(said[0]) < int(said[1]), said
    return f"cells {said[0]}, daemon {said[1]}"


def _spilled() -> str:
    need_groups()
    start("spill", "spiller", "--memory", "96M")
    death = until("its end", lambda: row("spill").get("last_death"))
    stratd("stop", "spill")
    assert (death["cause"], "killed by the kernel (cgroup v2)" in death["detail"]) == ("oom", True), death
    return f"{death['cause']}: {death['detail']}"


def _memory() -> str:
    need_groups()
    start("glutton", "hog", "--memory", "96M")
    death = until("its end", lambda: row("glutton").get("last_death"))
    stratd("stop", "glutton")
    assert death["cause"] == "oom", death
    return f"{death['cause']}: {death['detail']}"


def _others() -> str:
    need_groups()
    assert all(row(f"calm-{number}")["restarts"] == 0 for number in range(3))
    status = ask("status")
    return f"daemon {main_pid()}, state {status['state']}"


def _cpu() -> str:
    need_groups()
    start("spin", "spinner", "--cpu", str(SHARE))
    group = cell_group("spin")
    until("it is held back", lambda: numbers(group / "cpu.stat")["nr_throttled"] > 0)
    used, began = numbers(group / "cpu.stat")["usage_usec"], _uptime()
    until("it was watched", lambda: _uptime() - began >= SECONDS)
    share = (numbers(group / "cpu.stat")["usage_usec"] - used) / 1e6 / (_uptime() - began)
    limit = (group / "cpu.max").read_text().strip()
    if Path("/proc/pressure/cpu").exists():
        until("its pressure is told", lambda: (row("spin").get("pressure") or {}).get("cpu"))
    stratd("stop", "spin", "--now")
    assert SHARE * 0.5 < share < SHARE * 1.3, share
    return f"{share:.3f} of a core, cpu.max {limit}"


def _uptime() -> float:
    return float(Path("/proc/uptime").read_text().split()[0])


def _pids() -> str:
    need_groups()
    start("crowd", "sleeper")
    group = cell_group("crowd")
    limit, before = int((group / "pids.max").read_text()), numbers(group / "pids.events").get("max", 0)
    # Seccomp forbids a strategy every fork: what the group alone holds is seen by one who may.
    # Its last words go to a file: what it forked lives on, and would keep a pipe open.
    with tempfile.TemporaryFile("w+") as words:
        join = f'echo $$ > {group}/cgroup.procs && exec "$0" -c "$1"'
        subprocess.run(
            ["/bin/sh", "-c", join, sys.executable, FORKS], stderr=words, timeout=PATIENCE, check=False
        )
        words.seek(0)
        said = words.read()
    held, hits = len((group / "cgroup.procs").read_text().split()), numbers(group / "pids.events")["max"]
    assert "Resource temporarily unavailable" in said, said
    assert (held <= limit, hits > before) == (True, True), (held, limit, hits)
    return f"{held} of {limit} tasks, {hits} forks refused"


def _gone() -> str:
    need_groups()
    group = cell_group("crowd")
    bombs = [int(pid) for pid in (group / "cgroup.procs").read_text().split()]
    stratd("stop", "crowd", "--now")
    until("the group is gone", lambda: not group.exists())
    assert not any(os.path.exists(f"/proc/{pid}") for pid in bombs)  # noqa: PTH110
    return f"{len(bombs)} processes, those of the fork bomb too"


def _enforcers() -> str:
    need_groups()
    until("it runs", state_of("calm-0", "running"))
    enforcer = row("calm-0")["enforcer"]
    assert enforcer == {"memory": "cgroup v2", "cpu": "cgroup v2"}, enforcer
    return run("systemd-cgls", "--no-pager", str(own_group())).stdout.splitlines()[0]


def _pressure() -> str:
    need_groups()
    if not Path("/proc/pressure/cpu").exists():
        raise Skip("this kernel has no PSI")
    told = fetch("/metrics")
    host = re.search(
        r'^stratd_host_pressure_seconds_total{kind="some",resource="cpu"} (\S+)$', told, re.MULTILINE
    )
    # It has ended: what it waited over its life goes on being told.
    spun = re.search(
        r'^stratd_deployment_pressure_seconds_total{deployment="spin",kind="some",resource="cpu"} (\S+)$',
        told,
        re.MULTILINE,
    )
    assert host is not None, told
    assert spun is not None, told
    assert float(spun[1]) > SECONDS / 4, spun[0]
    return f"spinner {float(spun[1]):.1f} s, host {float(host[1]):.1f} s"
