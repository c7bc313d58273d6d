"""Acts done in a process of their own: what a layer does cannot be undone, and pytest has threads."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]

PRELUDE = """
import ctypes, errno, os, sys
sys.path.insert(0, {root!r})
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

def syscall(number, *arguments):
    ctypes.set_errno(0)
    words = [a if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result

def tried(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"

def no_new_privileges():
    libc.prctl(38, ctypes.c_ulong(1), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))
"""


def start(code: str) -> subprocess.Popen[str]:
    """Start Python ``code`` behind ``PRELUDE`` in a process of its own."""
    source = PRELUDE.format(root=str(ROOT)) + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-I", "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"OPENBLAS_NUM_THREADS": "1", "LANG": "C.UTF-8"},
    )


def finish(child: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """Wait for a child's end."""
    try:
        stdout, stderr = child.communicate(timeout=60)
    finally:
        child.kill()
    return subprocess.CompletedProcess(child.args, child.returncode, stdout, stderr)


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run ``code`` to its end."""
    return finish(start(code))


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """Return the literal that a child printed last."""
    assert 0 == done.returncode, done.stderr
    return ast.literal_eval(done.stdout.splitlines()[-1])


def told(code: str) -> Any:
    """Run ``code`` and return the literal that it printed last."""
    return answer(run(code))
