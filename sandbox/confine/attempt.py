"""Finds out what this host gives its cells, by doing it: in a throw-away process that tries every layer.

Asking is not enough. Ubuntu's AppArmor lets a process have a user namespace and then refuses every mount in
it; a container's seccomp filter may refuse unshare(2) alone; a limit may be reached. So each setting is
gone through as a cell would, from the best one down, and the first whose every step works is taken.

``survey`` is for the supervisor; run as ``python -m sandbox.confine.attempt SETTING`` this module is the
throw-away process and writes the ``Survey`` as JSON.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from sandbox.confine import credentials, landlock, mounts, namespaces, probe, seccomp
from sandbox.confine.credentials import UIDS, Capability
from sandbox.confine.survey import Layer, Setting, Survey, refusal
from sandbox.fork import fork

PATIENCE = 20.0
"""Seconds that the attempt may take: it is some 100 ms of work."""
_COMMAND = (sys.executable, "-B", "-s", "-P", "-m", "sandbox.confine.attempt")
_CURES = {
    True: {  # root: what is missing was taken from it
        "namespaces": "run it with CAP_SYS_ADMIN and no seccomp filter (docker: --cap-add SYS_ADMIN)",
        "mounts": "run it with CAP_SYS_ADMIN under an AppArmor profile that allows mounts (apparmor.d(5))",
    },
    False: {
        "namespaces": "sysctl -w user.max_user_namespaces=10000 kernel.unprivileged_userns_clone=1",
        "mounts": "an AppArmor profile that allows userns to this interpreter (apparmor.d(5)), or root",
    },
}
_CHOOSE = 'set [sandbox] setting = "auto"'


class Tried(Struct, frozen=True):
    """How far a setting got: the layer and the reason of the first step that failed, "" if none did."""

    failed: str = ""
    reason: str = ""
    refused: dict[str, str] = {}
    """Filters that are there and could not be applied: name -> why."""


# ---- for the supervisor -----------------------------------------------------------------------------
def survey(wanted: Setting | str = "auto") -> Survey:
    """Return what cells get here; some 100 ms, once a process. Never raises.

    ``wanted`` forces a setting, "auto" takes the best one that works. An attempt that failed altogether is
    made anew by the next call: the host may only have been busy.
    """
    if (found := _found.get(wanted)) is not None:
        return found
    try:
        done = subprocess.run(
            [*_COMMAND, wanted],
            capture_output=True, text=True, timeout=PATIENCE, check=True, env={}, cwd="/",
        )  # fmt: skip
        found = msgspec.json.decode(done.stdout, type=Survey)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        why = f"could not be found out ({type(error).__name__})"
        layers = [Layer(name, active=False, detail=why) for name in ("mounts", "landlock", "seccomp")]
        return Survey("bare", layers, refusal("bare", layers))
    return _found.setdefault(wanted, found)


_found: dict[str, Survey] = {}


# ---- the throw-away process -------------------------------------------------------------------------
def find_out(wanted: str) -> Survey:
    """Try the settings that may be had, best first."""
    # Root of a container may have no uid to give away, and a user namespace to make.
    best: tuple[Setting, ...] = ("root", "userns") if os.geteuid() == 0 else ("userns",)
    candidates: Sequence[Setting] = best if wanted == "auto" else (wanted,)  # type: ignore[assignment]
    isolated = Tried("choice", "not wanted: the setting is bare")
    for setting in candidates:
        if setting != "bare":
            isolated = _in_a_child(setting)
            if not isolated.failed:
                return _survey(setting, isolated, isolated.refused)
    return _survey("bare", isolated, _in_a_child("bare").refused)


def _survey(setting: Setting, isolated: Tried, refused: dict[str, str]) -> Survey:
    layers = [
        *_isolation(setting, isolated),
        _filter("landlock", probe.landlock(), refused, "boot with lsm=landlock,... (Linux 5.13)"),
        _filter("seccomp", probe.seccomp(), refused, "a kernel with CONFIG_SECCOMP_FILTER=y"),
        _credentials(setting, refused.get("credentials", "")),
    ]
    return Survey(setting, layers, refusal(setting, layers))


def _filter(name: str, found: probe.Finding, refused: dict[str, str], command: str) -> Layer:
    if found.found and name in refused:
        return Layer(name, False, refused[name], command)
    return Layer(name, found.found, found.detail, command)


def _isolation(setting: Setting, tried: Tried) -> list[Layer]:
    cures = _CURES[os.geteuid() == 0]
    if tried.failed == "choice":
        return [Layer(name, False, tried.reason, _CHOOSE) for name in ("namespaces", "mounts")]
    if tried.failed == "mounts":
        return [
            Layer("namespaces", False, "made, but of no use without mounts"),
            Layer("mounts", False, tried.reason, cures["mounts"]),
        ]
    if tried.failed:
        return [
            Layer("namespaces", False, tried.reason, cures["namespaces"]),
            Layer("mounts", False, "they need namespaces", cures["mounts"]),
        ]
    names = "mount, pid, net, ipc, uts" + (", user" if setting == "userns" else "")
    return [
        Layer("namespaces", True, names),
        Layer("mounts", True, "a root of its own; scratch in memory, bounded"),
    ]


def _credentials(setting: Setting, refused: str) -> Layer:
    if setting == "root":
        return Layer("credentials", True, "a uid for each process of a cell, no capabilities")
    if setting == "userns":
        return Layer("credentials", True, "no capabilities; a nested user namespace a strategy")
    if os.geteuid() != 0:
        return Layer("credentials", True, "the daemon's uid, no capabilities")
    if not refused:
        return Layer("credentials", True, "a uid for each strategy that all may read, no capabilities")
    detail = f"root's uid, no capabilities: {refused}"
    return Layer("credentials", False, detail, "install stratd under /opt or /usr")


def _try(setting: Setting, at: str) -> Tried:
    """Go through a setting's steps in this process, with the root at folder ``at``; say where it failed."""
    layer = "namespaces"
    try:
        if setting == "bare":
            return Tried(refused=_become_nobody() | _apply_filters())
        if setting == "userns":
            namespaces.enter_user_namespace()
        namespaces.leave_host()
        namespaces.unshare(namespaces.PID)
        layer = "mounts"
        mounts.build_root(at, mounts.readable())
        namespaces.unshare(namespaces.MOUNT | namespaces.IPC)
        mounts.make_scratch(at, 2**20, os.geteuid())
        mounts.enter_root(at)
        layer = "namespaces"
        if setting == "userns":
            namespaces.unshare(namespaces.USER)
        if setting == "root":
            credentials.drop(UIDS, keep=[Capability.KILL])  # as a warden
        else:
            credentials.drop()
    except OSError as error:
        return Tried(layer, error.strerror or str(error))
    return Tried(refused=_apply_filters())


def _become_nobody() -> dict[str, str]:
    """Become what a strategy is without namespaces; return why it cannot be a user of its own, if so."""
    if os.geteuid() != 0:
        credentials.drop()
        return {}
    needed = mounts.readable()  # as root, who sees all of it
    try:
        credentials.drop(UIDS)
    except OSError as error:
        return {"credentials": error.strerror or str(error)}
    closed = [path for path in needed if not os.access(path, os.R_OK)]
    return {"credentials": f"{closed[0]} may be read by root alone"} if closed else {}


def _apply_filters() -> dict[str, str]:
    """Apply what there is of Landlock and seccomp to this process; return what was refused, and why."""
    refused = {}
    steps: tuple[tuple[str, probe.Finding, Callable[[], object]], ...] = (
        ("landlock", probe.landlock(), lambda: landlock.restrict(read=["/"])),
        ("seccomp", probe.seccomp(), lambda: seccomp.load(seccomp.strategy_policy(shared_memory=False))),
    )
    for name, found, apply in steps:
        try:
            if found.found:
                apply()
        except OSError as error:
            refused[name] = error.strerror or str(error)
    return refused


def _in_a_child(setting: Setting) -> Tried:
    """Try a setting where it does no harm: what it does to a process cannot be taken back."""
    reading, writing = os.pipe()
    with tempfile.TemporaryDirectory(prefix="stratd-root-") as at:
        pid = fork(lambda: os.write(writing, msgspec.json.encode(_try(setting, at))))
        os.close(writing)
        with open(reading, "rb") as pipe:  # noqa: PTH123 - a descriptor
            said = pipe.read()
        os.waitpid(pid, 0)
    return msgspec.json.decode(said, type=Tried) if said else Tried("namespaces", "the attempt was killed")


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(find_out(sys.argv[1])))
