"""Leave a set-user-ID program behind for others to run, and run it."""

import os

from kit import all_denied

EXPECT = r"returned:'(denied|contained)|denied:(EACCES|EROFS)"


def attack():
    with open("/proc/self/exe" if os.path.exists("/proc/self/exe") else "/usr/bin/env", "rb") as source:
        data = source.read(65536)
    made = os.open("/tmp/suid", os.O_CREAT | os.O_WRONLY, 0o6777)
    os.write(made, data)
    os.close(made)
    mode = os.stat("/tmp/suid").st_mode
    said = all_denied(
        run=lambda: os.execv("/tmp/suid", ["suid"]),
        spawn=lambda: os.posix_spawn("/tmp/suid", ["suid"], {}),
        chmod=lambda: os.chmod("/tmp/suid", 0o6755),
        fchmod=lambda: os.chmod(os.open("/tmp/suid", os.O_RDONLY), 0o6755),
    )
    return f"{said} mode {mode:o}"
