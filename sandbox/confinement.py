"""The layers, in their order: what the zygote prepares once, and what each process of a cell does to itself.

The one place where they are called; each is a module of ``sandbox.confine`` that says what it does and where
that is written. An ``OSError`` here is fatal to the process: half confined is not confined.

::

    zygote     user namespace (userns) . network, mounts, IPC, host name . the root . filters compiled
    warden     PID namespace (pid 1) . own mounts, the engine's sockets, the root . uid . Landlock . seccomp
    strategy   own mounts, scratch, code, the root . uid or nested user namespace . dies with its warden .
               Landlock . seccomp
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sandbox.births import Ground, Spawn
from sandbox.confine import mounts, namespaces, process
from sandbox.fork import fork, fork_alone, fork_alone_through

ROOT_UID = 0


class Confinement:
    """What the cells of one zygote are confined by. ``prepare`` is called in the zygote, once."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._setting = ground.setting
        self._isolated = "mounts" in ground.layers
        self._readable = mounts.readable()

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

    def fork_warden(self, warden: Callable[[], object]) -> int:
        """Fork a warden and return its pid, as the zygote sees it."""
        if not self._isolated:
            return fork(warden)
        return fork_alone(warden) if self._setting == "root" else fork_alone_through(warden)

    # ---- a warden ---------------------------------------------------------------------------------
    def confine_warden(self, cell: Spawn) -> str:
        """Confine this process, a warden; return the folder in which it finds the engine's sockets."""
        if self._isolated:
            namespaces.unshare(namespaces.MOUNT)
            mounts.bind(cell.bus, self._ground.root + mounts.BUS)
            mounts.enter_root(self._ground.root)
        return mounts.BUS if self._isolated else cell.bus

    # ---- a strategy -------------------------------------------------------------------------------
    def confine_strategy(self, cell: Spawn, parent: int) -> tuple[str, str]:
        """Confine this process, a strategy; return where it finds its code, and its packages or ""."""
        code, packages = cell.code, cell.packages
        if self._isolated:
            code, packages = self._enter_own_root(cell)
        if self._isolated and self._setting == "userns":
            # Nested, so that RLIMIT_NPROC, which counts by user namespace and uid, counts this cell alone.
            namespaces.unshare(namespaces.USER)
        process.die_with_parent(parent)  # after every change of credentials, which would clear it
        return code, packages

    def _enter_own_root(self, cell: Spawn) -> tuple[str, str]:
        root = self._ground.root
        namespaces.unshare(namespaces.MOUNT | namespaces.IPC)
        mounts.make_scratch(root, cell.scratch, cell.strategy_uid or os.geteuid())
        code = mounts.CODE if os.path.isdir(cell.code) else mounts.CODE_FILE  # noqa: PTH112
        if os.path.lexists(cell.code):  # else its loader says what is missing
            mounts.bind(cell.code, root + code)
        if cell.packages:
            mounts.bind(cell.packages, root + mounts.PACKAGES)
        mounts.enter_root(root)
        os.mkdir(f"{mounts.SCRATCH}/.shm", 0o700)  # noqa: PTH102 - what /dev/shm leads to
        return code, mounts.PACKAGES if cell.packages else ""
