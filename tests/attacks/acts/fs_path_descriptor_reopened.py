"""Open the daemon's file with O_PATH, which Landlock does not mediate, then read it through the descriptor."""

import os

from kit import all_denied, syscall

EXPECT = r"returned:'denied |denied:(ENOENT|EACCES)"


def attack():
    found = os.open(CTX["config"], os.O_PATH)  # where there is no such file it ends here
    return all_denied(
        read=lambda: os.read(found, 10),
        reopen=lambda: os.open(f"/proc/self/fd/{found}", os.O_RDONLY),
        write=lambda: os.open(f"/proc/self/fd/{found}", os.O_WRONLY),
        devfd=lambda: os.open(f"/dev/fd/{found}", os.O_RDONLY),
        empty=lambda: syscall(257, found, b"", 0x1000, 0),
        link=lambda: syscall(265, found, b"", -100, b"/tmp/linked", 0x1000),
        magic=lambda: os.link(f"/proc/self/fd/{found}", "/tmp/linked", follow_symlinks=True),
        chdir=lambda: os.fchdir(found),
        exec=lambda: syscall(322, found, b"", None, None, 0x1000),
    )
