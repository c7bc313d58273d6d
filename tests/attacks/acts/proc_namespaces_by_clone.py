"""Make namespaces by clone, clone3 and unshare: in one of its own, a process is root over new kernel code."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"
USER, MOUNT, NET = 0x10000000, 0x20000, 0x40000000


def attack():
    return all_denied(
        clone=lambda: syscall(56, USER | 17, 0, 0, 0, 0),
        thread=lambda: syscall(56, 0x10900 | USER, 0, 0, 0, 0),
        newuser=lambda: syscall(56, 0x10900 | NET, 0, 0, 0, 0),
        cgroup=lambda: syscall(56, 0x10900 | 0x2000000, 0, 0, 0, 0),
        clone3=lambda: syscall(435, (USER | MOUNT).to_bytes(8, "little") + bytes(80), 88),
        unshare=lambda: syscall(272, USER | MOUNT | NET),
    )
