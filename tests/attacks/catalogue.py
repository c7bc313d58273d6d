"""The hostile acts: those in ``../shared/attacks`` and our own, read as text and never imported."""

from __future__ import annotations

import ast
import platform
import re
from pathlib import Path
from typing import NamedTuple

from tests.shared import SHARED

OWN = Path(__file__).parent / "acts"
THEIRS = SHARED / "attacks"

PROTOCOL = r"killed:SIGKILL protocol"
"""Ended by its warden, since what it wrote was not the protocol between them."""
BESIDES = {
    # Written for sockets of 0MQ. To the descriptor that a strategy holds here the same bytes are a breach of
    # its protocol: it is ended at once, which is more than what the act expects of a harmless one.
    "zmq_": PROTOCOL,
    "net_scm_rights_stuffing": PROTOCOL,
}
"""By the beginning of an act's name: what besides its own EXPECT is contained, and why."""
NUMBERED = re.compile(r"\b_?sys(call)?\(")


class Act(NamedTuple):
    """One hostile act: ``name`` as of its file, what is expected of it, the callback it is done in."""

    name: str
    source: str
    expect: str
    at: str
    brief: bool
    """It, or what it leaves behind, may be ended by its time limit: then that need not be long."""
    own: bool


def read(path: Path, *, own: bool) -> Act:
    source = path.read_text()
    given = {
        node.targets[0].id: node.value.value
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    family = path.stem.partition("_")[2]
    besides = [more for name, more in BESIDES.items() if family.startswith(name) and not own]
    expect = "|".join(f"(?:{one})" for one in (given["EXPECT"], *besides))
    brief = given.get("BRIEF", "timeout" in expect)
    return Act(path.stem, source, expect, given.get("AT", "on_tick"), brief, own)


def acts() -> list[Act]:
    """Return all of them; only our own where ``../shared`` is absent.

    Numbers of system calls are those of x86_64: on another machine whoever makes one is left out, since there
    they mean other calls.
    """
    theirs = [read(path, own=False) for path in sorted(THEIRS.glob("[0-9]*.py"))]
    own = [read(path, own=True) for path in sorted(OWN.glob("[a-z]*.py"))]
    native = platform.machine() == "x86_64"
    return [act for act in theirs + own if native or not NUMBERED.search(act.source)]
