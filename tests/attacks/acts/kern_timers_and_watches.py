"""Make objects that the kernel keeps by user: timers, watches, queues, signal descriptors."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    return all_denied(
        timer=lambda: syscall(222, 1, None, bytes(8)),
        timerfd=lambda: syscall(283, 1, 0),
        inotify=lambda: syscall(253),
        inotify1=lambda: syscall(294, 0),
        signalfd=lambda: syscall(289, -1, bytes(8), 8, 0),
        queue=lambda: syscall(240, b"evil", 0o102, 0o600, None),
        segment=lambda: syscall(29, 0x1234, 1 << 20, 0o1666),
        semaphore=lambda: syscall(64, 0x1234, 1, 0o1666),
        messages=lambda: syscall(68, 0x1234, 0o1666),
        watch=lambda: syscall(328, 0, bytes(8)),
    )
