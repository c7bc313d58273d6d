"""Leave the session, or take another process into its own group."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied "


def attack():
    return all_denied(
        setsid=os.setsid,
        setpgid=lambda: os.setpgid(0, 0),
        parent=lambda: os.setpgid(os.getppid(), os.getpid()),
        terminal=lambda: os.tcsetpgrp(0, 1),
        vhangup=lambda: syscall(153),
        chroot=lambda: os.chroot("/tmp"),
        domain=lambda: syscall(171, b"evil", 4),
    )
