"""What a freshly forked process does to itself: session, signals, descriptors, and whom it dies with.

The kernel calls here need no privilege. The layers that confine (namespaces, Landlock, seccomp, cgroups)
get a module each beside this one, and their calls in ``sandbox.confinement``.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
from collections.abc import Iterable

# CDLL(None), never ctypes.util.find_library: that runs ldconfig or a compiler.
_libc = ctypes.CDLL(None, use_errno=True)

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
# The same number on every architecture (close_range(2), Linux 5.9).
_SYS_CLOSE_RANGE = 436
_MAX_FD = 2**32 - 1


class ParentGone(RuntimeError):
    """The parent died before its child could tie its life to it."""


def _prctl(option: int, argument: int | bytes) -> None:
    value = ctypes.c_char_p(argument) if isinstance(argument, bytes) else ctypes.c_ulong(argument)
    if _libc.prctl(option, value, ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")


def die_with_parent(parent: int) -> None:
    """Be killed (SIGKILL) when the *thread* that forked us ends; ``parent`` is the pid we expect above us.

    Credential changes clear this (prctl(2)), so it comes after them. The parent may have died before the
    call: then nobody would ever signal us, hence the comparison, with its pid and not with 1, because an
    orphan goes to the nearest subreaper.
    """
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise ParentGone(f"process {parent} is gone")


def go_on_with(descriptor: int) -> None:
    """Go on, if stopped (SIGSTOP), whenever something comes at ``descriptor`` or its other end is closed.

    The kernel sends SIGCONT then (F_SETSIG of fcntl(2)): it continues even who is pid 1 of a namespace, which
    any other signal of this kind cannot end, and interrupts nobody who runs.
    """
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGCONT)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


def become_subreaper() -> None:
    """Adopt the orphans of our descendants, so that none of them leaves our sight (prctl(2))."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def rename_process(name: str) -> None:
    """Show ``name`` (15 bytes at most) as the command in ``ps`` and ``top``."""
    _prctl(_PR_SET_NAME, name.encode()[:15])


def reset_signals() -> None:
    """Give every signal its default disposition and unblock all: a child inherits both (signal(7))."""
    for number in signal.valid_signals():
        # SIGKILL, SIGSTOP and the two of the threading library cannot be set.
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    # A write to a closed pipe or socket is an error to be handled (EPIPE), as is one past the largest file
    # (EFBIG): so Python has it by default.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def close_descriptors(keep: Iterable[int]) -> None:
    """Close every descriptor but ``keep``."""
    low = 0
    for descriptor in [*sorted(set(keep)), _MAX_FD + 1]:
        if descriptor > low:
            _close_range(low, descriptor - 1)
        low = descriptor + 1


def _close_range(first: int, last: int) -> None:
    if _libc.syscall(_SYS_CLOSE_RANGE, ctypes.c_uint(first), ctypes.c_uint(last), ctypes.c_uint(0)) == 0:
        return
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - before Linux 5.9
        if first <= int(name) <= last:
            with contextlib.suppress(OSError):
                os.close(int(name))


def limit_tasks(most: int) -> None:
    """Bound the tasks of this uid in this user namespace, for good (RLIMIT_NPROC of getrlimit(2))."""
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def pid_of(pidfd: int) -> int:
    """Return the pid of a pidfd as /proc has it, whatever it is here; -1 once it is gone (pidfd_open(2)).

    ``ValueError`` if it is no pidfd.
    """
    file = os.open(f"/proc/self/fdinfo/{pidfd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        said = os.read(file, 4096)
    finally:
        os.close(file)
    _, found, pid = said.partition(b"\nPid:")
    if not found:
        raise ValueError("a descriptor that is no pidfd")
    return int(pid.split(maxsplit=1)[0])


def volunteer_for_oom() -> None:
    """When the host runs out of memory, let the kernel take this process before any of ours (proc(5))."""
    # Plain calls here and below: a Path and a text file touch 0.8 MiB of what is shared with the zygote.
    with contextlib.suppress(OSError):  # raising the score is always allowed; /proc may be hidden
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(score, b"500")
        finally:
            os.close(score)


def start_ticks(pid: int) -> int:
    """Return field 22 of /proc/PID/stat: clock ticks from boot to its start; with the pid it is unique."""
    file = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        stat = os.read(file, 4096)
    finally:
        os.close(file)
    # The command (field 2) may hold blanks and parentheses: count from its last parenthesis.
    return int(stat[stat.rindex(b")") + 2 :].split()[19])
