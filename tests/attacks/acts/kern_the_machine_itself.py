"""Stop, rename, set and read what belongs to the machine."""

import time

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        name=lambda: syscall(170, b"evil", 4),
        log=lambda: syscall(103, 3, bytes(100), 100),
        clear=lambda: syscall(103, 5, None, 0),
        watch=lambda: syscall(300, 0, 0),
        quota=lambda: syscall(443, 0, 0, 0, 0),
        clock=lambda: time.clock_settime(time.CLOCK_REALTIME, 0),
        slew=lambda: syscall(159, (1).to_bytes(4, "little") + bytes(204)),
        reboot=lambda: syscall(169, 0xFEE1DEAD, 672274793, 0, None),
        module=lambda: syscall(175, b"", 0, b""),
        kexec=lambda: syscall(246, 0, 0, None, 0),
        swap=lambda: syscall(167, b"/tmp/swap", 0),
        account=lambda: syscall(163, b"/tmp/account"),
        nfs=lambda: syscall(180, 0, None, None),
        cookie=lambda: syscall(212, 1, bytes(100), 100),
    )
