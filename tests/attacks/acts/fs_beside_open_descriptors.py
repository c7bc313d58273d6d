"""Leave by the descriptors that a strategy is given: 0 was opened by the daemon, outside of any root."""

import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    calls = {}
    for descriptor in (0, 1, 2, 3):
        for path in ("..", "../../etc/passwd", "."):
            calls[f"open{descriptor}{path[:3]}"] = lambda d=descriptor, p=path: os.open(
                p, os.O_RDONLY, dir_fd=d
            )
        calls[f"chdir{descriptor}"] = lambda d=descriptor: os.fchdir(d)
        calls[f"list{descriptor}"] = lambda d=descriptor: os.listdir(d)
    return all_denied(**calls)
