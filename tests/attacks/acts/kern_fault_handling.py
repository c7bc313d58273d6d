"""Handle one's own page faults, and so stop the kernel in the middle of a copy."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        any=lambda: syscall(323, 0),
        user=lambda: syscall(323, 1),
        device=lambda: open("/dev/userfaultfd", "rb"),
        advice=lambda: syscall(28, 0, 4096, 100),
        merge=lambda: syscall(28, 0, 4096, 12),
        pageout=lambda: syscall(28, 0, 4096, 21),
    )
