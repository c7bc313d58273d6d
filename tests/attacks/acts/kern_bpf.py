"""Load a program into the kernel, or make a map in its memory."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        map=lambda: syscall(
            321, 0, (2).to_bytes(4, "little") + (4).to_bytes(4, "little") * 3 + bytes(100), 116
        ),
        program=lambda: syscall(321, 5, bytes(116), 116),
        object=lambda: syscall(321, 7, bytes(116), 116),
        perf=lambda: syscall(298, bytes(112), 0, -1, -1, 0),
    )
