"""Search all memory for where the engine's sockets are."""

import re

from kit import memory

EXPECT = r"returned:'clean"


def attack():
    found = {hit for piece in memory() for hit in re.findall(rb"ipc:/[/]/[!-.0-~]+/[!-~]{3,200}", piece)}
    return f"ESCAPED {sorted(found)[:5]}" if found else "clean"
