"""Have the kernel tell where others keep their lists of locks, which is where their memory lies."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    pids = {"supervisor": CTX["supervisor_pid"], "other": CTX["victim_pid"], "above": os.getppid() or 1}
    return all_denied(
        **{name: lambda p=pid: syscall(274, p, bytes(8), bytes(8)) for name, pid in pids.items()}
    )
