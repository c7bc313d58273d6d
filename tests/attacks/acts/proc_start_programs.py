"""Start a program by every door that the standard library has."""

import os
import pty
import subprocess

from kit import all_denied

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    def ran(status):
        if status != 0:
            raise OSError(1, "it did not run")

    return all_denied(
        spawn=lambda: os.posix_spawn("/bin/true", ["true"], {}),
        run=lambda: subprocess.run(["/bin/true"], check=True),
        shell=lambda: ran(os.system("/bin/true")),
        popen=lambda: os.popen("echo done").read() or ran(1),
        pty=pty.fork,
        fork=os.fork,
    )
