"""Mount, by the old calls and by the new ones."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        tree=lambda: syscall(428, -100, b"/", 1),
        move=lambda: syscall(429, -100, b"/usr", -100, b"/tmp", 0),
        open=lambda: syscall(430, b"tmpfs", 0),
        config=lambda: syscall(431, 3, 6, None, None, 0),
        mount=lambda: syscall(432, 3, 0, 0),
        pick=lambda: syscall(433, -100, b"/", 0),
        attributes=lambda: syscall(442, -100, b"/", 0, bytes(32), 32),
        old=lambda: syscall(165, b"tmpfs", b"/tmp", b"tmpfs", 0, b""),
        writable=lambda: syscall(165, None, b"/usr", None, 0x1020, None),
        away=lambda: syscall(166, b"/tmp", 2),
        pivot=lambda: syscall(155, b".", b"."),
        list=lambda: syscall(458, bytes(24), bytes(64), 8, 0),
        stat=lambda: syscall(457, bytes(24), bytes(512), 512, 0),
    )
