"""Keep and find keys in the kernel: their rings belong to users, not to cells."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        add=lambda: syscall(248, b"user", b"from-one-cell", b"to another", 10, -4),
        request=lambda: syscall(249, b"user", b"from-one-cell", None, 0),
        join=lambda: syscall(250, 1, b"evil", 0, 0, 0),
        session=lambda: syscall(250, 0, -3, 0, 0, 0),
        persistent=lambda: syscall(250, 22, -1, -4, 0, 0),
    )
