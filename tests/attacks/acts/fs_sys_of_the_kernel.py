"""Switch a processor off, freeze a group, read what devices there are, through /sys."""

import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    writes = [
        "/sys/devices/system/cpu/cpu1/online",
        "/sys/devices/system/cpu/cpu0/power/control",
        "/sys/fs/cgroup/cgroup.procs",
        "/sys/fs/cgroup/freezer/tasks",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/power/state",
    ]
    reads = ["/sys/class/net", "/sys/kernel/debug", "/sys/fs/cgroup", "/sys/block", "/sys/firmware"]
    return all_denied(
        **{f"w{i}": lambda p=path: os.open(p, os.O_WRONLY) for i, path in enumerate(writes)},
        **{f"r{i}": lambda p=path: os.listdir(p) for i, path in enumerate(reads)},
        group=lambda: os.mkdir("/sys/fs/cgroup/mine"),
    )
