"""Read past the page cache (O_DIRECT), so that every read is one of the disk."""

import fcntl
import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    file = os.open(os.__file__, os.O_RDONLY)
    flags = fcntl.fcntl(file, fcntl.F_GETFL)
    return all_denied(
        open=lambda: os.open(os.__file__, os.O_RDONLY | os.O_DIRECT),
        later=lambda: fcntl.fcntl(file, fcntl.F_SETFL, flags | os.O_DIRECT),
    )
