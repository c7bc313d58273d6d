"""Read the processor time of other processes by their clocks: when they work tells what they trade."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    def clock(pid):
        return (~pid << 3) | 2  # MAKE_PROCESS_CPUCLOCK, linux/posix-timers_types.h

    calls = {}
    for name, pid in (
        ("supervisor", CTX["supervisor_pid"]),
        ("other", CTX["victim_pid"]),
        ("above", os.getppid() or 1),
    ):
        calls[f"time_{name}"] = lambda p=pid: syscall(228, clock(p), bytes(16))
        calls[f"resolution_{name}"] = lambda p=pid: syscall(229, clock(p), bytes(16))
        calls[f"sleep_{name}"] = lambda p=pid: syscall(230, clock(p), 0, bytes(16), None)
    return all_denied(**calls)
