"""Install filters that answer for other calls: a listener that lets everything through, a trap, a trace."""

import ctypes

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    allow = ctypes.create_string_buffer(b"\x06\0\0\0\0\0\xff\x7f", 8)
    program = ctypes.create_string_buffer(
        (1).to_bytes(8, "little") + ctypes.addressof(allow).to_bytes(8, "little"), 16
    )
    return all_denied(
        listener=lambda: syscall(317, 1, 8, program),
        plain=lambda: syscall(317, 1, 0, program),
        strict=lambda: syscall(317, 0, 0, None),
        prctl=lambda: syscall(157, 22, 2, program, 0, 0),
        sizes=lambda: syscall(317, 3, 0, program),
        suspend=lambda: syscall(101, 0x4200, 0, 0, 0x00200000),
    )
