"""A program of others that the daemon runs on data of strangers: bounded, idle, and gone with the daemon.

``python -B -I -m sandbox.confine.launch PARENT FILE_SIZE MEMORY -- PROGRAM [ARGUMENT]...`` limits itself,
then becomes the program. A process in between, and no ``preexec_fn`` of ``subprocess``: that runs between
fork and exec of a process with threads, where another thread's lock may be held for ever (Python's
documentation).

``PARENT`` is the pid above us: whoever started us dies, we die (``process.die_with_parent``; that it outlives
execve(2) is said in prctl(2)). ``FILE_SIZE`` bytes of one file, ``MEMORY`` bytes of data, of each process.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence

from sandbox.confine import process

IDLE = 19
"""Niceness: what the daemon trades with goes first (setpriority(2))."""
EXIT_NOT_STARTED = 125
"""The program could not be started, as with timeout(1) and env(1)."""


def command(program: Sequence[str], *, parent: int, file_size: int, memory: int) -> list[str]:
    """Return what to start so that ``program`` runs under these bounds; ``parent`` is who starts it."""
    bounds = (str(parent), str(file_size), str(memory))
    return [sys.executable, "-B", "-I", "-m", "sandbox.confine.launch", *bounds, "--", *program]


def main(arguments: Sequence[str]) -> int:
    """Become the program. Returns only if that fails, after a line on stderr."""
    parent, file_size, memory = map(int, arguments[:3])
    program = list(arguments[4:])
    try:
        os.umask(0o022)
        os.nice(IDLE)
        for limit, value in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_FSIZE, file_size),
            (resource.RLIMIT_DATA, memory),
        ):
            _bound(limit, value)
        process.die_with_parent(parent)
        os.execv(program[0], program)  # noqa: S606 - no shell is what is wanted
    except (OSError, process.ParentGone) as error:
        sys.stderr.write(f"error: {program[0]} cannot be started: {error}\n")
    return EXIT_NOT_STARTED


def _bound(limit: int, value: int) -> None:
    _, hard = resource.getrlimit(limit)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (bound, bound))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
