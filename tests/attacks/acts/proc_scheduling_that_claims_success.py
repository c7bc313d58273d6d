"""Ask for real time and for another processor: the calls may claim success, but nothing may change."""

import os

EXPECT = r"returned:'unchanged|denied:EPERM"


def attack():
    before = (os.sched_getaffinity(0), os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))
    os.sched_setaffinity(0, {0})
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    os.sched_setaffinity(CTX["supervisor_pid"], {0})
    after = (os.sched_getaffinity(0), os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))
    return "unchanged" if before == after else f"ESCAPED {before} {after}"
