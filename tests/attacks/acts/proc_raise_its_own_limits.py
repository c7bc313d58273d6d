"""Raise the limits and the priority that it was given."""

import os
import resource

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    return all_denied(
        **{name: lambda n=name: resource.setrlimit(getattr(resource, n), unlimited) for name in names},
        nice=lambda: os.nice(-10),
        idle=lambda: os.nice(10),
        attributes=lambda: syscall(314, 0, (48).to_bytes(4, "little") + bytes(44), 0),
        ioprio=lambda: syscall(251, 1, 0, 1 << 13),
        lock=lambda: syscall(151, 3),
        oom=lambda: open("/proc/self/oom_score_adj", "w").write("-1000"),
    )
