"""Make nameless files (O_TMPFILE) where none may be made: they use up disks all the same."""

import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    folders = [
        "/",
        "/usr",
        "/usr/lib",
        "/var/tmp",
        "/run",
        os.path.dirname(os.__file__),
        CTX["sockdir"],
        os.path.dirname(CTX["config"]),
    ]
    return all_denied(
        **{f"f{i}": lambda f=folder: os.open(f, os.O_TMPFILE | os.O_RDWR) for i, folder in enumerate(folders)}
    )
