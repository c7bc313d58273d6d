"""One layer alone, in a process of its own: what it stops is tried, and what came of it is returned."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNSHARE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""As an ordinary user: no capability outside of a user namespace, wherever this interpreter lies."""


def as_ordinary_user() -> list[str]:
    """Return what to put before a command so that it runs without privilege."""
    return list(UNSHARE) if os.geteuid() == 0 else []


def alone(script: str, *arguments: str, before: list[str] | None = None) -> list[str]:
    """Run a script in a fresh interpreter; return the lines that it printed."""
    code = PREAMBLE + textwrap.dedent(script)
    command = [*(before or []), sys.executable, "-B", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def possible(act: str, *, before: list[str] | None = None) -> bool:
    """Whether a script's act works here at all."""
    command = [*(before or []), sys.executable, "-B", "-c", PREAMBLE + textwrap.dedent(act)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, cwd=ROOT).returncode == 0


def needs(act: str, what: str, *, before: list[str] | None = None) -> None:
    """Skip the test where the host does not allow what it is about; in CI it does."""
    if not possible(act, before=before):
        assert os.environ.get("CI") != "true", f"CI must allow {what}"
        pytest.skip(f"{what} is not possible here")


PREAMBLE = """
import errno, os, socket, sys
def attempt(name, act):
    try:
        print(name, act())
    except OSError as error:
        print(name, errno.errorcode[error.errno])
def in_child(act):
    pid = os.fork()
    if pid == 0:
        try:
            act()
            sys.stdout.flush()
        except BaseException:
            import traceback; traceback.print_exc(); os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""
