"""Whether /proc shows strategies: read from its mount, and found by looking."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.confine import visible
from sandbox.confine.cgroup_files import Files

LINE = "24 28 0:22 / {at} rw,nosuid,nodev,noexec,relatime shared:14 - proc proc {options}\n"


def mounts(*options: str, at: str = "/proc") -> str:
    return "".join(LINE.format(at=at, options=one) for one in options)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (mounts("rw"), ""),
        (mounts("rw,hidepid=invisible"), "invisible"),
        (mounts("rw,gid=7,hidepid=2"), "2"),
        (mounts("rw,hidepid=2", "rw"), ""),  # what lies above counts
        (mounts("rw,hidepid=2", at="/chroot/proc"), ""),
        ("a line that is none\n", ""),
        ("", ""),
    ],
)
def test_the_option_is_that_of_what_lies_uppermost_on_proc(text, found):
    assert found == visible.hidepid(text)


class Mounted(Files):
    """A host whose mounts are these."""

    def __init__(self, text: str):
        self._text = text

    def read(self, file: Path) -> str:
        return self._text


def test_without_the_option_nothing_is_started(monkeypatch):
    monkeypatch.setattr(visible, "_looked", None)
    assert (True, "every strategy is seen in /proc") == visible.look(Mounted(mounts("rw,hidepid=0")))


@pytest.mark.system
def test_with_the_option_it_is_looked_and_what_is_shown_is_seen():
    found = visible.look(Mounted(mounts("rw,hidepid=2")))  # a claim that this /proc does not keep
    assert (True, "every strategy is seen in /proc, for all its hidepid=2") == found


def test_a_look_that_fails_is_no_sight(monkeypatch):
    monkeypatch.setattr(visible, "_COMMAND", ("/nonexistent/python",))
    found = visible.look(Mounted(mounts("rw,hidepid=2")))
    assert (False, "could not be found out (FileNotFoundError)") == found


@pytest.mark.system
def test_an_ordinary_user_under_hidepid_is_told_that_he_sees_none():
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a /proc and to become somebody else")
    # Everything is imported, and the interpreter opened, while it may: it may lie in a folder of root's.
    code = (
        "import os, subprocess, sys\n"
        "from sandbox.confine import credentials, visible\n"
        "subprocess.run(['mount', '-t', 'proc', '-o', 'hidepid=2', 'proc', '/proc'], check=True)\n"
        "os.setgroups([]); os.setresgid(*[65534] * 3); os.setresuid(*[65534] * 3)\n"
        "ready, told = os.pipe(); hold, let_go = os.pipe()\n"
        "if (pid := os.fork()) == 0:\n"
        "    credentials.refuse_tracing(); os.write(told, b'.')\n"
        "    os.close(let_go); os.read(hold, 1); os._exit(0)\n"
        "os.read(ready, 1)\n"
        "print(visible.hidepid(open('/proc/self/mountinfo').read()), visible.shown(pid))\n"
    )
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-P", "-c", code],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare failed" in done.stderr or "permission denied" in done.stderr.lower():
        pytest.skip("may not mount here")
    assert ("invisible False\n", "") == (done.stdout, done.stderr)
