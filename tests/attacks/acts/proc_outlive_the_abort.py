"""Catch SIGABRT, with which a hang is ended first, by a handler that never returns."""

import ctypes
import signal
import time

from kit import libc

EXPECT = r"timeout"


def attack():
    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: time.sleep(10**6))
    globals()["kept"] = handler
    libc.signal(signal.SIGABRT, handler)
    libc.signal(signal.SIGTERM, handler)
    while True:
        time.sleep(1)
