"""Have the kernel make calls from a ring in memory, which no filter sees."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        setup=lambda: syscall(425, 8, bytes(120)),
        enter=lambda: syscall(426, 0, 1, 1, 0, None, 0),
        register=lambda: syscall(427, 0, 0, None, 0),
        aio=lambda: syscall(206, 8, bytes(8)),
        aio_submit=lambda: syscall(209, 0, 0, None),
    )
