"""Leave a note for another strategy in what both were given, and look for the note of another."""

import fcntl
import os

EXPECT = r"returned:'clean"


def attack():
    found = []
    for descriptor in (0, 1, 2):
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        if flags & os.O_APPEND:
            found.append(descriptor)
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
    return f"ESCAPED: a note on {found}" if found else "clean"
