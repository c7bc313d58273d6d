"""How a forked process becomes a strategy process: what it keeps, what it loses, and that it is confined.

All of it before any user code is compiled. What confines it is in ``sandbox.confinement``.
"""

from __future__ import annotations

import faulthandler
import functools
import io
import os
import signal
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from sandbox.births import Spawn
from sandbox.confine import process
from sandbox.confinement import Confinement

EXIT_UNCONFINED = 71
"""A layer could not be applied, so nothing was run (sysexits.h EX_OSERR); the reason is on stderr."""
LIMITED = b"limited"
"""First datagram of a warden: the limits of both processes are set."""
WARDEN = 3
"""Number of the one descriptor besides stdin, stdout and stderr."""
KEPT = frozenset({"msgpack", "msgspec", "numpy", "strategies"})
"""Packages beside the standard library that user code finds already loaded."""
KEPT_OF_OURS = frozenset({
    "bus", "bus.messages", "bus.messages.market", "bus.messages.trading", "bus.timeframes", "bus.topics",
    "sandbox", "sandbox.fork", "sandbox.loader", "sandbox.protocol", "sandbox.runner", "sandbox.settling",
    "sandbox.spec", "sandbox.speech",
})  # fmt: skip
"""Modules of the packages that also hold the engine's and the warden's side. Those of a ``Signal`` and a
``Candle`` under their own names: a pickled class refers to them so, and would else get others."""


class Birth(NamedTuple):
    """What a warden hands to its strategy at the fork. The descriptors are the warden's numbers."""

    cell: Spawn
    confinement: Confinement
    groups: Sequence[int]
    talk: int
    stdout: int
    stderr: int
    parent: int


class Settled(NamedTuple):
    """Where a settled process finds its code and its packages ("" for none).

    ``hidden`` are modules to be kept alive, because taking them apart would copy their pages.
    """

    code: str
    packages: str
    hidden: list[ModuleType]


def settle(birth: Birth) -> Settled:
    """Become a strategy process: a session of its own, four descriptors, confined.

    ``SystemExit`` with ``EXIT_UNCONFINED`` where a layer cannot be applied.
    """
    os.setsid()
    os.dup2(birth.stdout, 1)
    os.dup2(birth.stderr, 2)
    try:
        # Its own, not the zygote's: flags set on that (F_SETFL) would be a word from one strategy to another.
        os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
        for group in birth.groups:
            os.write(group, b"0")  # this process (cgroups(7)); the rights are those of who opened the file
        os.dup2(birth.talk, WARDEN, inheritable=False)
        process.close_descriptors({0, 1, 2, WARDEN})
        os.umask(0o077)
        process.volunteer_for_oom()
        process.rename_process("stratd-strategy")
        code, packages = birth.confinement.confine_strategy(birth.cell, birth.parent, _until_limited)
    except OSError as error:
        os.write(2, f"not confined, so not run: {error.strerror}\n".encode())
        raise SystemExit(EXIT_UNCONFINED) from None
    hidden = _hide_modules(modules_to_hide())
    sys.modules["__main__"] = ModuleType("__main__")  # that of the zygote is among the hidden
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = streams()  # type: ignore[misc] # ours to replace
    return Settled(code, packages, hidden)


def _until_limited() -> None:
    """Wait for the warden's word; ``SystemExit`` if it is gone."""
    if os.read(WARDEN, len(LIMITED)) != LIMITED:
        raise SystemExit(EXIT_UNCONFINED)


def hide_our_own() -> list[ModuleType]:
    """Hide what is ours, in the zygote, which imports nothing more; every cell inherits it.

    The rest is left to each strategy: a warden may still import of pyzmq, which is loaded.
    """
    names = [
        name for name in sys.modules if name.partition(".")[0] in {"bus", "sandbox"} and not _is_kept(name)
    ]
    return _hide_modules(tuple(names))


@functools.cache
def modules_to_hide() -> tuple[str, ...]:
    """Return the names of the other loaded modules that user code shall not find.

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
    return hidden


def _is_kept(name: str) -> bool:
    root = name.partition(".")[0]
    if root in {"bus", "sandbox"}:
        return name in KEPT_OF_OURS
    return root in KEPT or root in sys.stdlib_module_names


@functools.cache
def streams() -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    """Return stdout and stderr of a strategy; faults write the Python stack there.

    Made once, in the zygote, over descriptors that are other pipes in every cell: made in each, they would
    copy 0.3 MiB of what is shared.
    """
    # SEGV, FPE, ABRT, BUS and ILL write the Python stack, then kill as they always do; USR1 only writes.
    faulthandler.enable(file=2, all_threads=True)
    faulthandler.register(signal.SIGUSR1, file=2, all_threads=True, chain=False)
    # Line by line, so that what was printed before a crash is out. Text that cannot be UTF-8 is escaped.
    stdout, stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(descriptor, "w", closefd=False)),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=True,
        )
        for descriptor in (1, 2)
    )
    return stdout, stderr
