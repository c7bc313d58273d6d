"""An engine whose journal contradicts itself trades on nothing."""

import contextlib
import os
import socket
import sqlite3
import subprocess
import sys

import msgspec
import pytest

from supervisor.control import EngineEvent, EngineNews
from supervisor.store.journal import Journal
from tests.strategies.trading.trading_world import T0, running_core, signal, tick

pytestmark = pytest.mark.system


def test_books_that_do_not_agree_end_the_engine_with_one_line(tmp_path):
    state, run = tmp_path / "state", tmp_path / "run"
    state.mkdir()
    run.mkdir()
    core = running_core()
    with Journal.open(state / "journal.db") as journal:
        journal.append(core.on_signals("d", 1, [signal()], T0).records)
        journal.append(core.on_tick(tick(), T0 + 1).records)
    with contextlib.closing(sqlite3.connect(state / "journal.db")) as database:
        database.execute("UPDATE lots SET quantity = 9")
        database.commit()

    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with control, theirs:
        done = subprocess.run(
            [
                *(sys.executable, "-B", "-I", "-m", "supervisor.engine"),
                *("--runtime", str(run), "--state", str(state)),
                *("--control-fd", str(theirs.fileno()), "--parent", str(os.getpid())),
            ],
            pass_fds=[theirs.fileno()], capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        news = msgspec.msgpack.decode(control.recv(2**20), type=EngineNews)
    why = "the lots of d in X are 9, its position is 1: they must agree"
    assert (1, "", f"engine: {why}\n") == (done.returncode, done.stdout, done.stderr)
    assert EngineEvent("engine_failed", why) == news
