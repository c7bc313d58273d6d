"""Every directive of the unit that hardens: does it hold? Asked by a probe under a copy of the unit."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from pathlib import Path

from tests.host.directives import WANTED
from tests.host.report import Report, Skip
from tests.host.service import has_groups, must, prop, run

PLACE = Path("/usr/local/lib/stratd-host-test")
"""Where the probe lies: the service's user has to be able to read it."""
DEVICE = PLACE / "device"
EXPERIMENTAL = os.makedev(120, 0)
"""Of nobody (devices.txt of the kernel: local and experimental use): ENXIO, if it may be opened at all."""
BY_PRIVILEGE = {"LimitNOFILE", "OOMScoreAdjust"}
"""What systemd can raise only where it has CAP_SYS_RESOURCE, which a container's has not."""
SYS_RESOURCE = 1 << 24


def copy_of_unit(name: str, command: str, *more: str) -> str:
    """Write a unit that has all of the service's directives and runs ``command`` once; return its name."""
    PLACE.mkdir(parents=True, exist_ok=True)
    said = {line.partition("=")[0] for line in more} - {"Environment"}  # of which there may be many
    kept = []
    for line in Path(prop("FragmentPath")).read_text().splitlines():
        key = line.partition("=")[0]
        if key in said or key in {
            "ExecStart",
            "ExecReload",
            "Type",
            "NotifyAccess",
            "WatchdogSec",
            "Restart",
            "LoadCredential",
        }:
            continue
        if key in {"RuntimeDirectory", "StateDirectory", "LogsDirectory"}:
            line = f"{key}={name}"  # noqa: PLW2901
        kept.append(line)
        if line == "[Service]":
            kept += ["Type=oneshot", f"ExecStart={command}", "StandardError=journal", *more]
    Path(f"/run/systemd/system/{name}.service").write_text("\n".join(kept) + "\n")
    must("systemctl", "daemon-reload")
    return name


def probed() -> dict[str, str]:
    """Run the probe under the unit; return what it found."""
    PLACE.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(__file__).with_name("probe.py"), PLACE)
    Path("/tmp/host-test-marker").touch()
    run("ip", "link", "set", "lo", "up")
    # An address that is ours, so that only the filter keeps a datagram from it (RFC 5737).
    run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
    with contextlib.suppress(OSError):
        os.mknod(DEVICE, stat.S_IFCHR | 0o666, EXPERIMENTAL)
    out = PLACE / "probed"
    name = copy_of_unit(
        "stratd-probe",
        f"/usr/bin/python3 -I {PLACE}/probe.py {Path('/proc/self/ns/mnt').readlink()} {DEVICE}",
        f"StandardOutput=truncate:{out}",
        "LimitRTPRIO=10",  # else a user cannot have it anyway, and nothing is shown
    )
    must("systemctl", "start", name)
    found: dict[str, str] = json.loads(out.read_text())
    return found


def check(report: Report) -> None:
    """Probe once, and judge each directive."""
    found: dict[str, str] = {}
    report.check("a copy of the unit runs a probe", lambda: found.update(probed()))
    for name, wanted in WANTED.items():
        report.check(f"hardening: {name}", lambda name=name, wanted=wanted: _judge(found, name, wanted))


def _judge(found: dict[str, str], name: str, wanted: str) -> str:
    said = found.get(name, "was not probed")
    if said == "ENOENT" and name == "DevicePolicy":
        raise Skip("no device can be made here")
    if said == "ENOENT" and name == "TasksMax" and not has_groups():
        raise Skip("no pids controller in cgroup version 2 here")
    if said != wanted and name in BY_PRIVILEGE and not _capabilities_of_systemd() & SYS_RESOURCE:
        raise Skip("systemd lacks CAP_SYS_RESOURCE here")
    assert said == wanted, f"{said}, not {wanted}"
    return said


def _capabilities_of_systemd() -> int:
    lines = Path("/proc/1/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("CapEff:")), 16)
