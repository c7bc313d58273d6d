"""A process that is tied to a test ends with it: an interrupted run leaves no daemon behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import wait_until

pytestmark = pytest.mark.system

STARTER = """
import signal, subprocess, sys
from tests.tied import tied
child = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
subprocess.Popen([sys.executable, "-P", "-c", tied(child)])
signal.pause()
"""


def test_what_is_tied_to_a_process_that_is_killed_goes_with_it():
    with subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True
    ) as starter:
        pid = int(starter.stdout.readline())
        tied = os.pidfd_open(pid)  # whoever has that pid later is another
        starter.kill()
        starter.wait()
    wait_until(lambda: gone(tied), what="the tied process gone")
    os.close(tied)


def gone(process: int) -> bool:
    """Whether a process has ended: then there is something to read at its descriptor (pidfd_open(2))."""
    return bool(select.select([process], [], [], 0)[0])
