"""Stop, kill and interrupt whoever watches: the parent, pid 1, the whole group, everybody."""

import os
import signal

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    calls = {}
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1, 0):
        for name, pid in (
            ("parent", os.getppid() or 1),
            ("first", 1),
            ("group", 0),
            ("all", -1),
            ("other", CTX["victim_pid"]),
        ):
            calls[f"{name}{number}"] = lambda p=pid, n=number: os.kill(p, n)
    return all_denied(
        **calls,
        tgkill=lambda: syscall(234, os.getppid() or 1, os.getppid() or 1, 9),
        queue=lambda: syscall(129, os.getppid() or 1, 9, bytes(128)),
        wide=lambda: syscall(62, (1 << 32) | 1, 9),
    )
