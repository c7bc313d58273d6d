"""Change segments, ports and other things of the processor that hardly anybody uses any more."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        ldt=lambda: syscall(154, 1, bytes(16), 16),
        thread_area=lambda: syscall(205, bytes(16)),
        gs=lambda: syscall(158, 0x1001, 0),
        features=lambda: syscall(158, 0x1023, 18),
        shadow=lambda: syscall(453, 0, 4096, 0),
        iopl=lambda: syscall(172, 3),
        ioperm=lambda: syscall(173, 0, 16, 1),
        barrier=lambda: syscall(324, 1, 0, 0),
        keys=lambda: syscall(330, 0, 0),
        seal=lambda: syscall(462, 0, 4096, 0),
    )
