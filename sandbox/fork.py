"""The one ``os.fork`` of the program: called by the zygote for a warden, by a warden for its strategy.

A fork is only sound in a process with one thread (POSIX fork(2): the child may otherwise call only
async-signal-safe functions), so that is checked, not hoped.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from sandbox.confine import namespaces

EXIT_BUG = 70
"""The child raised what nothing caught: a fault of ours (sysexits.h EX_SOFTWARE)."""
_PID = 4
"""Bytes of a pid in the pipe of ``fork_alone_through``."""


def threads() -> int:
    """Return the number of threads (kernel tasks) of this process."""
    return len(os.listdir("/proc/self/task"))  # noqa: PTH208 - names are enough


def fork(child: Callable[[], object]) -> int:
    """Run ``child`` in a new process and return its pid. The child never returns from here.

    Its exit status is 0, what it gave to ``sys.exit``, or ``EXIT_BUG`` after a traceback on stderr.
    """
    if (count := threads()) != 1:
        raise RuntimeError(f"cannot fork: this process has {count} threads")
    pid = os.fork()
    if pid == 0:
        _run(child)
    return pid


def fork_alone(child: Callable[[], object]) -> int:
    """Like ``fork``, and the child is pid 1 of a PID namespace of its own. Returns its pid in ours.

    With privilege over our own PID namespace (root), without which there is no way back into it.
    """
    with namespaces.next_child_alone():
        return fork(child)


def fork_alone_through(child: Callable[[], object]) -> int:
    """Like ``fork_alone``, for an ordinary user: through a process between, which ends at once.

    The caller is a subreaper (prctl(2)), so that it is the parent of what comes out of it.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)

    def between() -> None:
        try:
            namespaces.unshare(namespaces.PID)
            answer = fork(child)
        except OSError as error:
            answer = -(error.errno or errno.EAGAIN)
        os.write(writing, answer.to_bytes(_PID, "little", signed=True))

    try:
        try:
            middle = fork(between)
        finally:
            os.close(writing)  # also if nothing came of it: the zygote tries again, and again
        said = os.read(reading, _PID)
        os.waitpid(middle, 0)
    finally:
        os.close(reading)
    if not said:
        # Killed between its fork and its word: there may be a child of ours that we do not know.
        raise RuntimeError("the process between two forks ended without a word")
    answer = int.from_bytes(said, "little", signed=True)
    if answer < 0:
        raise OSError(-answer, os.strerror(-answer))
    return answer


def _run(child: Callable[[], object]) -> NoReturn:
    # finally: whatever happens in the handlers (stderr closed, memory gone), the child must not fall out
    # of the fork into its parent's code, nor run the interpreter's shutdown over shared descriptors.
    status = EXIT_BUG
    try:
        child()
        status = 0
    except SystemExit as leaving:
        status = exit_status(leaving)
    except BaseException:  # noqa: BLE001 - the outermost wall of a process
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                status = status or EXIT_BUG
        os._exit(status)


def exit_status(leaving: SystemExit) -> int:
    """Return the exit status that Python gives to a ``SystemExit``: its code, 0 for none, 1 for a text."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code & 0xFF
    print(leaving.code, file=sys.stderr)  # noqa: T201 - what the interpreter does with a text
    return 1
