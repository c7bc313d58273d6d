"""Ask for a core file, with everything that is in memory, and die so that there would be one."""

import ctypes
import os
import resource

from kit import libc

EXPECT = r"killed:(SIGABRT|SIGSEGV|SIGQUIT)"


def attack():
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except (OSError, ValueError):
        libc.prctl(4, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
    os.chdir("/tmp")
    os.abort()
