"""The layers, in their order: what the zygote prepares once, and what each process of a cell does to itself.

The one place where they are called; each is a module of ``sandbox.confine`` that says what it does and where
that is written. An ``OSError`` here is fatal to the process: half confined is not confined.

::

    zygote     user namespace (userns) . network, mounts, IPC, host name . the root . filters compiled .
               the few capabilities that it needs (root)
    warden     PID namespace (pid 1) . own mounts, the engine's sockets, the root . uid, no capability but
               to end its strategy . Landlock . seccomp
    strategy   own mounts, scratch, code, the root . uid or nested user namespace, no capability . dies with
               its warden . Landlock . seccomp
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable

from sandbox.births import Ground, Spawn
from sandbox.channel import close_all
from sandbox.confine import credentials, landlock, mounts, namespaces, process, seccomp
from sandbox.confine.credentials import Capability
from sandbox.fork import fork, fork_alone, fork_alone_through

OF_THE_ZYGOTE = (
    Capability.SYS_ADMIN,  # namespaces and mounts
    Capability.DAC_READ_SEARCH,  # code lies where its author put it
    Capability.SETUID, Capability.SETGID, Capability.SETPCAP,  # a uid of its own for each process
    Capability.KILL,  # handed on to wardens
)  # fmt: skip
"""What a zygote that is root keeps, and hands on until each process gives it up."""


class Confinement:
    """What the cells of one zygote are confined by. ``prepare`` is called in the zygote, once."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._setting = ground.setting
        self._isolated = "mounts" in ground.layers
        self._readable = mounts.readable()
        self._landlock = "landlock" in ground.layers
        self._seccomp = "seccomp" in ground.layers

    # ---- the zygote -------------------------------------------------------------------------------
    def leave_host(self) -> None:
        """Leave the host's network and names, before any import that is not ours."""
        if self._setting == "userns":
            namespaces.enter_user_namespace()
            process.become_subreaper()  # of what ``fork_alone_through`` leaves behind
        if self._isolated:
            namespaces.leave_host()

    def prepare(self) -> None:
        """Make what every cell shares: the root, the filters."""
        if self._isolated:
            mounts.build_root(self._ground.root, self._readable)
        if self._landlock:
            for signals in (True, False):
                landlock.handled(landlock.abi(), signals=signals)  # kept: 0.3 ms less in every cell
        if self._seccomp:
            # Shared anonymous memory also where a cgroup would count it: what a strategy may do is the same
            # on every host.
            self._strategy_filter = seccomp.strategy_policy(shared_memory=False)
            self._warden_filter = seccomp.warden_policy()
        if self._setting == "root":
            credentials.keep_only(OF_THE_ZYGOTE)
        credentials.forbid_new_privileges()

    def fork_warden(self, warden: Callable[[], object]) -> int:
        """Fork a warden and return its pid, as the zygote sees it."""
        if not self._isolated:
            return fork(warden)
        return fork_alone(warden) if self._setting == "root" else fork_alone_through(warden)

    # ---- a warden ---------------------------------------------------------------------------------
    def confine_warden(self, cell: Spawn, limited: Callable[[], None]) -> str:
        """Confine this process, a warden; ``limited`` waits until it and its strategy are limited.

        Returns the folder in which it finds the engine's sockets.
        """
        bus = mounts.BUS if self._isolated else cell.bus
        if self._isolated:
            namespaces.unshare(namespaces.MOUNT)
            mounts.bind(cell.bus, self._ground.root + mounts.BUS)
            mounts.enter_root(self._ground.root)
        limited()
        # Its strategy is another user then, whom it has to be able to end.
        credentials.drop(cell.warden_uid or None, keep=(Capability.KILL,) if cell.strategy_uid else ())
        if self._landlock:
            landlock.restrict(sockets=[bus], signals=False)
        if self._seccomp:
            seccomp.load(self._warden_filter)
        return bus

    # ---- a strategy -------------------------------------------------------------------------------
    def confine_strategy(self, cell: Spawn, parent: int, limited: Callable[[], None]) -> tuple[str, str]:
        """Confine this process, a strategy; return where it finds its code, and its packages or "".

        ``limited`` waits until it is limited: it is another user's afterwards.
        """
        code, packages = cell.code, cell.packages
        if self._isolated:
            namespaces.unshare(namespaces.MOUNT | namespaces.IPC)
        opened = _open_code(cell.code)
        installed = os.open(packages, os.O_PATH | os.O_CLOEXEC) if packages and not self._isolated else None
        ours = [one for one in (opened, installed) if one is not None]
        if self._isolated:
            code, packages = self._enter_own_root(cell, opened)
        elif cell.strategy_uid:
            # Another user may not enter the folders above, which are the daemon's own.
            code, packages = _by_descriptor(opened, code), _by_descriptor(installed, packages)
        limited()
        if cell.tasks:
            # Nested, so that RLIMIT_NPROC, which counts by user namespace and uid, counts this cell alone.
            # Only then is it lowered: what it is when a namespace is made holds all tasks of the uid in the
            # one around it, every other cell too (kernel/user_namespace.c, set_userns_rlimit_max).
            namespaces.unshare(namespaces.USER)
            process.limit_tasks(cell.tasks)
        credentials.drop(cell.strategy_uid or None)
        process.die_with_parent(parent)  # after every change of credentials, which would clear it
        if self._isolated:
            os.mkdir(f"{mounts.SCRATCH}/.shm", 0o700)  # noqa: PTH102 - what /dev/shm leads to; its own
        if self._landlock:
            self._restrict_paths(ours)
        if self._isolated or not cell.strategy_uid:
            close_all(ours)
        if self._seccomp:
            seccomp.load(self._strategy_filter)
        return code, packages

    def _restrict_paths(self, opened: list[int]) -> None:
        if self._isolated:
            landlock.restrict(read=["/"], write=[mounts.SCRATCH], devices=mounts.DEVICES)
            return
        landlock.restrict(read=[*self._readable, *opened], devices=mounts.DEVICES)

    def _enter_own_root(self, cell: Spawn, opened: int | None) -> tuple[str, str]:
        root = self._ground.root
        mounts.make_scratch(root, cell.scratch, cell.strategy_uid or os.geteuid(), self._readable)
        code = mounts.NO_CODE  # its loader says what is missing
        if opened is not None:
            code = mounts.CODE if stat.S_ISDIR(os.fstat(opened).st_mode) else mounts.CODE_FILE
            mounts.bind_opened(opened, root + code, cell.code)
        if cell.packages:
            mounts.bind(cell.packages, root + mounts.PACKAGES)
        mounts.enter_root(root)
        return code, mounts.PACKAGES if cell.packages else ""


def _by_descriptor(opened: int | None, path: str) -> str:
    """Return a path of what is open, by which it is found whoever may enter the folders above."""
    return path if opened is None else f"/proc/self/fd/{opened}"


def _open_code(path: str) -> int | None:
    """Return a descriptor of the code, by which alone it is looked at and shown; None if there is none."""
    try:
        return mounts.open_exactly(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(errno.ELOOP, f"{path}: leads through a symbolic link now; register it again") from None
