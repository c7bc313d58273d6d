"""Whether the kernel's clock is kept right, asked of the kernel (adjtimex(2)); changes nothing.

Whoever keeps it (chrony, ntpd, systemd-timesyncd) tells the kernel, so there is no need to know who it is.
"""

from __future__ import annotations

import ctypes
import os
from typing import NamedTuple

_STA_UNSYNC = 0x0040  # include/uapi/linux/timex.h
_TIME_ERROR = 5
_libc = ctypes.CDLL(None, use_errno=True)


class ClockReading(NamedTuple):
    """``synchronised``; ``max_error`` is how far off it may be, in seconds, as its keeper estimates."""

    synchronised: bool
    max_error: float


class _Timex(ctypes.Structure):
    """``struct timex`` as far as it is read, with room for the rest of it."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 64),
    )


def read_clock() -> ClockReading:
    """Ask the kernel; raises ``OSError`` where it may not be asked."""
    asked = _Timex(modes=0)  # nothing is to be set
    state = _libc.adjtimex(ctypes.byref(asked))
    if state < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    kept = state != _TIME_ERROR and not asked.status & _STA_UNSYNC
    return ClockReading(kept, asked.maxerror / 1e6)
