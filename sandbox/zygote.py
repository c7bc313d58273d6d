"""The zygote: exec'ed once, one thread, everything imported and frozen, forks the wardens of cells.

Rules of this file. It imports no user code, opens no 0MQ context, holds no secret (``sandbox.births``)
and starts no thread; ``os.fork`` is in ``sandbox/fork.py``, called here and by the warden and nowhere
else. Run as ``python -B -s -P -m sandbox.zygote DESCRIPTOR SUPERVISOR_PID`` by ``sandbox.nursery``.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys

from sandbox import births, channel, warden
from sandbox.confine.process import (
    ParentGone,
    close_descriptors,
    die_with_parent,
    rename_process,
    reset_signals,
)
from sandbox.confinement import Confinement
from sandbox.fork import threads
from sandbox.holes import fill
from sandbox.rehearsal import rehearse
from sandbox.settling import hide_our_own, modules_to_hide, streams

PRELOAD = ("msgpack", "msgspec", "numpy", "numpy.random", "resource", "zmq", "bus.sockets")
"""What every cell shares instead of loading: about 25 MiB and 150 ms that a cell does not pay. All that a
warden will ever need is among it (``os.wait4`` imports ``resource``): it can open no file any more."""

_KEPT: list[object] = []
"""What fills the holes of the heap."""


class Zygote:
    """Forks a warden on request, and tells when one has ended."""

    def __init__(self, supervisor: socket.socket, confinement: Confinement) -> None:
        self._supervisor = supervisor
        self._confinement = confinement
        self._buffer = bytearray(births.DATAGRAM)
        self._poll = select.poll()
        self._wardens: dict[int, int] = {}  # pidfd -> pid

    def serve(self) -> None:
        """Serve until the supervisor closes its end."""
        self._poll.register(self._supervisor, select.POLLIN)
        while True:
            for descriptor, _ in self._poll.poll():
                if descriptor in self._wardens:
                    self._bury(descriptor)
                elif not self._answer():
                    return

    def _answer(self) -> bool:
        """Answer one request; False once the supervisor has gone.

        It names paths of a deployment, which no later cell shall find in the memory that it inherits: it is
        received into one buffer, decoded by the cell alone, and wiped.
        """
        try:
            size, descriptors = channel.receive_into(self._supervisor, self._buffer, births.DESCRIPTORS)
        except EOFError:
            return False
        request = births.number_of(self._buffer)
        try:
            self._spawn(request, size, descriptors)
        except OSError as error:  # EAGAIN, ENOMEM: the host is at a limit, later requests may succeed
            self._report(births.NotForked(request, f"cannot fork: {error.strerror}"))
        finally:
            self._buffer[:size] = bytes(size)
            channel.close_all(descriptors)
        return True

    def _spawn(self, request: int, size: int, descriptors: list[int]) -> None:
        def become_warden() -> None:
            cell = births.decode_request(bytes(self._buffer[:size]))
            _become_warden(cell, self._confinement, descriptors)

        pid = self._confinement.fork_warden(become_warden)
        try:
            pidfd = os.pidfd_open(pid)
            self._report(births.Forked(request, pid), [pidfd])
        except OSError:  # EMFILE, ETOOMANYREFS: what nobody can be told of shall not be
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self._wardens[pidfd] = pid
        self._poll.register(pidfd, select.POLLIN)

    def _bury(self, pidfd: int) -> None:
        pid = self._wardens.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        self._report(births.Exited(pid, os.waitstatus_to_exitcode(status)))

    def _report(self, report: births.ZygoteReport, descriptors: tuple[int, ...] | list[int] = ()) -> None:
        channel.send(self._supervisor, births.encode(report), descriptors)


def _become_warden(cell: births.Spawn, confinement: Confinement, descriptors: list[int]) -> None:
    """Leave everything of the zygote behind, then be a warden; runs in the forked process."""
    os.setsid()
    control, *groups = descriptors
    close_descriptors({0, 1, 2, control, *groups})
    rename_process("stratd-warden")
    warden.main(control, cell, confinement, groups)


def main(descriptor: int, supervisor_pid: int) -> None:
    """Import, freeze, say so, serve."""
    die_with_parent(supervisor_pid)
    rename_process("stratd-zygote")
    reset_signals()  # once, for every process to come: in each it would copy 0.35 MiB of what is shared
    # Ctrl-C in a terminal reaches the whole foreground group; only the supervisor decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    supervisor = socket.socket(fileno=descriptor)
    supervisor.set_inheritable(False)
    confinement = Confinement(births.decode_ground(channel.receive(supervisor, births.DATAGRAM)[0]))
    confinement.leave_host()
    die_with_parent(supervisor_pid)  # once more: a change of credentials clears it (prctl(2))
    for name in PRELOAD:
        importlib.import_module(name)
    if (count := threads()) != 1:
        raise SystemExit(f"zygote: {count} threads after the imports, but only one may fork")
    # Collected before, so that no cell collects (and copies) what died here; frozen, so that no
    # collection in a cell touches what is shared: 3.5 instead of 8.9 MiB private after one collection.
    rehearse()
    hidden = hide_our_own()  # kept alive: nobody shall take them apart
    modules_to_hide()
    streams()
    confinement.prepare()
    gc.collect()
    _KEPT.extend(fill())  # last: what comes after it lies in pages of its own
    gc.freeze()
    channel.send(supervisor, births.encode(births.Awake(len(sys.modules) + len(hidden))))
    try:
        Zygote(supervisor, confinement).serve()
    except BrokenPipeError:  # the supervisor closed between its request and our answer
        return


if __name__ == "__main__":
    with contextlib.suppress(ParentGone):  # nobody is there who could be told anything
        main(int(sys.argv[1]), int(sys.argv[2]))
