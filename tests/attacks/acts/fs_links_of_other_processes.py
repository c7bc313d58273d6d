"""Read where the links of other processes in /proc lead: nothing is opened by that, so no right to files is asked."""

import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    calls = {}
    for who, pid in (
        ("supervisor", CTX["supervisor_pid"]),
        ("other", CTX["victim_pid"]),
        ("above", os.getppid() or 1),
    ):
        for link in ("exe", "cwd", "root", "fd/0", "fd/3", "fd/5", "ns/net", "ns/user", "map_files/0-1"):
            calls[f"{who}_{link}"] = lambda p=pid, n=link: os.readlink(f"/proc/{p}/{n}")
            calls[f"{who}_{link}_through"] = lambda p=pid, n=link: os.stat(f"/proc/{p}/{n}/..")
    return all_denied(**calls)
