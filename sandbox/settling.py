"""How a forked process becomes a strategy process: what it keeps, what it loses, what confines it.

The one place where the layers of docs/sandbox.md go: each is a module of ``sandbox.confine`` and one
call in ``settle``, before any user code is compiled.
"""

from __future__ import annotations

import faulthandler
import functools
import io
import os
import signal
import sys
from types import ModuleType

from sandbox.confine import process

WARDEN = 3
"""Number of the one descriptor besides stdin, stdout and stderr."""
KEPT = frozenset({"bus", "msgpack", "msgspec", "numpy", "strategies"})
"""Packages beside the standard library that user code finds already loaded."""
KEPT_OF_OURS = frozenset(
    f"sandbox.{name}" for name in ("fork", "loader", "protocol", "runner", "settling", "spec", "speech")
) | {"sandbox"}


def settle(warden: int, stdout: int, stderr: int, parent: int) -> list[ModuleType]:
    """Become a strategy process: a session of its own, four descriptors, and whatever confines it.

    Returns the modules that were hidden: kept alive, because taking them apart would copy their pages.
    """
    os.setsid()
    process.reset_signals()
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    os.dup2(warden, WARDEN, inheritable=False)
    process.close_descriptors({0, 1, 2, WARDEN})
    os.umask(0o077)
    process.volunteer_for_oom()
    process.rename_process("stratd-strategy")
    # The layers of docs/sandbox.md go here, in this order: cgroup, namespaces, credentials, NO_NEW_PRIVS,
    # Landlock, seccomp; each one call into its module of sandbox.confine.
    process.die_with_parent(parent)  # after every change of credentials, which would clear it
    hidden = _hide_modules(modules_to_hide())
    _open_streams()
    return hidden


@functools.cache
def modules_to_hide() -> tuple[str, ...]:
    """Return the names of loaded modules that user code shall not find.

    The zygote asks first, so that no cell touches (and copies) the names of all the others.
    """
    return tuple(name for name in sys.modules if not _is_kept(name))


def _hide_modules(names: tuple[str, ...]) -> list[ModuleType]:
    """Take modules out of ``sys.modules`` and their packages. Tidiness and not a wall: docs/sandbox.md."""
    hidden = []
    for name in names:
        if (module := sys.modules.pop(name, None)) is None:
            continue
        hidden.append(module)
        package, _, leaf = name.rpartition(".")
        if package.partition(".")[0] in {"bus", "sandbox"} and leaf in vars(sys.modules.get(package, module)):
            delattr(sys.modules[package], leaf)
    sys.modules["__main__"] = ModuleType("__main__")  # that of the zygote is among the hidden
    return hidden


def _is_kept(name: str) -> bool:
    root = name.partition(".")[0]
    if root == "sandbox":
        return name in KEPT_OF_OURS
    sockets = name == "bus.sockets" or name.startswith("bus.sockets.")
    return (root in KEPT and not sockets) or root in sys.stdlib_module_names


def _open_streams() -> None:
    # Line by line, so that what was printed before a crash is out. Text that cannot be UTF-8 is escaped.
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        raw = io.FileIO(descriptor, "w", closefd=False)
        stream = io.TextIOWrapper(
            io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    # SEGV, FPE, ABRT, BUS and ILL write the Python stack, then kill as they always do; USR1 only writes.
    faulthandler.enable(file=2, all_threads=True)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True, chain=False)
