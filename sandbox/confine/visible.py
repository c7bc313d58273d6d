"""Whether /proc shows this process its strategies, which nobody may trace: found by looking at one like them.

A /proc that is mounted with ``hidepid`` (proc(5); ``ProtectProc=`` of a unit is that) shows a process only
to who may trace it or is in the group of its ``gid=``. Strategies are made untraceable
(``credentials.drop``), so to a daemon that is not root they are then not there: psutil can neither read nor
stop them. At their birth they still are. Run as
``python -m sandbox.confine.visible`` this module is the process that is looked at.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.confine.cgroup_files import Files
from sandbox.confine.cgroup_place import MOUNTS
from sandbox.confine.credentials import refuse_tracing
from sandbox.confine.probe import Finding

_COMMAND = (sys.executable, "-B", "-s", "-P", "-m", "sandbox.confine.visible")
_SHOWS_ALL = ("", "0", "off")
_READY = b"ready\n"


def hidepid(mountinfo: str) -> str:
    """Return the value of ``hidepid`` of what is mounted on /proc, "" without one. Pure.

    ``mountinfo`` is /proc/self/mountinfo (proc_pid_mountinfo(5)).
    The last line counts: what was mounted later lies above.
    """
    found = ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 6 or len(kind) < 3 or (fields[4], kind[0]) != ("/proc", "proc"):
            continue
        options = dict(option.partition("=")[::2] for option in kind[2].split(","))
        found = options.get("hidepid", "")
    return found


def look(files: Files | None = None) -> Finding:
    """Say whether strategies can be seen; takes 100 ms where there is a ``hidepid``. Never raises."""
    try:
        value = hidepid((files or Files()).read(MOUNTS))
    except OSError:
        return Finding(False, "/proc is not mounted")
    if value in _SHOWS_ALL:
        return Finding(True, "every strategy is seen in /proc")
    try:
        seen = _looked()
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(False, f"could not be found out ({type(error).__name__})")
    if seen:
        return Finding(True, f"every strategy is seen in /proc, for all its hidepid={value}")
    return Finding(False, f"/proc is mounted with hidepid={value}, which hides every strategy from this user")


def shown(pid: int) -> bool:
    """Whether a process can be looked at."""
    try:
        return bool(Path(f"/proc/{pid}/statm").read_text("ascii"))
    except OSError:
        return False


def _looked() -> bool:
    with subprocess.Popen(
        _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={}, cwd="/"
    ) as process:
        if process.stdout is None or process.stdout.readline() != _READY:
            raise OSError("the process to look at did not begin")
        return shown(process.pid)


if __name__ == "__main__":
    refuse_tracing()
    os.write(1, _READY)
    os.read(0, 1)  # until who looks is done
