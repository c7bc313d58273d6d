"""``top``: what it knows and how old that is, and a terminal that it gives back however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.client import DaemonGone
from cli.errors import NO_DAEMON, REFUSED, CommandError
from cli.top.board import SILENT, Board
from cli.top.watch import ENDED, SLOW, Watch
from supervisor.client.calls import daemon as calls
from supervisor.client.calls import running
from supervisor.client.messages import Message
from tests.scenarios.rig import process
from tests.supervisor.fake_daemon import FakeDaemon, Served, make_row
from tests.waiting import wait_until

PATIENCE = 200.0
"""Seconds that only a failure waits."""
STATUS = {
    "version": "1", "state": "running", "uptime_s": 100.0, "running": 1, "max_concurrent": 9,
    "feeds": [{"name": "main", "state": "healthy"}],
}  # fmt: skip


def row(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "pid": 7, "uptime_s": 10.0, "ticks": 1, "signals": {"accepted": 2}, **more}


def board() -> Board:
    one = Board()
    one.asked(STATUS, [row("a"), row("b")], 1000.0)
    return one


# ---- the board ------------------------------------------------------------------------------------
def test_what_is_asked_for_is_all_that_there_is():
    one = board()
    one.asked({**STATUS, "feeds": []}, [row("c")], 1001.0)
    view = one.view(1001.0)
    assert (["c"], {}, 2) == ([each["id"] for each in view.rows], view.feeds, view.status["accepted"])


def test_what_the_stream_tells_takes_its_place_and_what_is_removed_goes():
    one = board()
    one.told("deployments", row("a", ticks=5, signals={"accepted": 7}), 1001.0)
    one.told("deployments", {"id": "b", "removed": True}, 1001.0)
    one.told("deployments", {"id": "never", "removed": True}, 1001.0)
    one.told("deployments", row("0"), 1001.0)
    one.told("feeds", {"name": "main", "state": "down"}, 1001.0)
    one.told("metrics", {"running": 4, "deployments": {"a": {"ticks": 6}, "gone": {"ticks": 9}}}, 1001.0)
    view = one.view(1001.0)
    assert [("0", 1), ("a", 6)] == [(each["id"], each["ticks"]) for each in view.rows]
    assert ({"main": "down"}, 4, 9) == (view.feeds, view.status["running"], view.status["accepted"])


def test_what_runs_goes_on_running_between_two_words_and_not_beyond_the_last():
    one = board()
    one.told("deployments", row("b", pid=None, uptime_s=None), 1001.0)
    one.told("metrics", {"deployments": {"a": {"ticks": 2}}}, 1003.0)
    ups = {each["id"]: each["uptime_s"] for each in one.view(1004.0).rows}
    assert ({"a": 14.0, "b": None}, 104.0) == (ups, one.view(1004.0).status["uptime_s"])
    late = one.view(1003.0 + SILENT + 60)
    assert (13.0, 103.0) == (late.rows[0]["uptime_s"], late.status["uptime_s"])


def test_silence_is_told_as_age_whoever_is_to_blame():
    one = board()
    assert ("", False) == (one.view(1000.0 + SILENT).note, one.view(1000.0 + SILENT).old)
    view = one.view(1012.7)
    assert ("OLD: the last word came 12 s ago", True) == (view.note, view.old)
    one.told("metrics", {"deployments": {}}, 1013.0)
    assert not one.view(1013.0).old


def test_while_it_asks_instead_it_says_so_and_while_nobody_answers_that_all_is_old():
    one = board()
    one.lost("too many streams")
    view = one.view(1001.0)
    assert ("no stream, asking instead: too many streams", False) == (view.note, view.old)
    one.unanswered("nobody is there")
    view = one.view(1002.0)
    assert ("OLD: the last word came 2 s ago: nobody is there", True) == (view.note, view.old)
    one.asked(STATUS, [], 1003.0)
    one.streaming()
    assert ("", False) == (one.view(1003.0).note, one.view(1003.0).old)


# ---- the watch ------------------------------------------------------------------------------------
class Script:
    """A client whose streams are given beforehand; each tells something, then ends as it is said."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.streams: list[tuple[list[Message], CommandError | None]] = []
        self.asked: list[str] = []
        self.rows = [row("a")]
        self.gone: CommandError | None = None
        self.each: Callable[[], object] = lambda: None
        """Called when a message has been taken."""

    def call(self, describe: Callable[..., Any]) -> bytes:
        self.asked.append(describe.__name__)
        if self.gone is not None:
            raise self.gone
        known = {calls.status: STATUS, running.deployments: self.rows}
        return json.dumps(known[describe]).encode()

    def messages(self, topics: object) -> Iterator[Message]:
        told, end = self.streams.pop(0)
        for message in told:
            self.now += 1.0
            yield message
            self.each()
        if end is not None:
            raise end

    def watch(self) -> Watch:
        return Watch(self, clock=lambda: self.now, sleep=lambda _: None)  # type: ignore[arg-type]  # its shape


def metrics() -> Message:
    return Message("1", "metrics", {"deployments": {}})


def test_what_a_stream_begins_with_is_asked_for_and_what_follows_is_believed():
    script = Script()
    before = Message("1", "deployments", row("a", state="as it was when it last changed"))
    after = Message("1", "deployments", row("a", state="as it changed"))
    script.rows = [row("a", state="as it is")]
    script.streams = [([before, metrics(), after, metrics()], CommandError(REFUSED, "cut off"))]
    watch = script.watch()
    watch.look()
    script.each = lambda: shown.append(watch.view().rows[0]["state"])
    shown: list[str] = []
    watch.turn()
    assert ["as it is", "as it is", "as it changed", "as it changed"] == shown


def test_the_daemons_own_state_is_asked_for_while_the_stream_lives_and_nothing_else():
    script = Script()
    script.streams = [([metrics()] * int(SLOW + 2), None)]
    watch = script.watch()
    watch.look()
    watch.turn()
    whole = ["status", "deployments"]
    assert [*whole, *whole, "status", *whole] == script.asked
    assert f"no stream, asking instead: {ENDED}" == watch.view().note


def test_a_daemon_that_goes_and_comes_back_is_seen_again_with_what_changed_meanwhile():
    script = Script()
    gone = DaemonGone(NO_DAEMON, "no daemon answers")
    script.streams = [([metrics()], gone), ([], gone), ([metrics()], gone)]
    watch = script.watch()
    watch.look()
    script.gone = gone
    watch.turn()
    watch.turn()
    assert (True, True) == (watch.view().old, watch.view().note.endswith(": no daemon answers"))
    script.gone, script.rows = None, [row("b")]
    watch.turn()
    assert (["b"], False) == ([each["id"] for each in watch.view().rows], watch.view().old)


def test_a_fault_of_ours_is_told_by_who_draws():
    script = Script()
    script.streams = [([Message("1", "metrics", {})], None)]  # no daemon says that
    watch = script.watch()
    watch.begin()
    with pytest.raises(RuntimeError, match="KeyError: 'deployments'"):
        wait_until(lambda: watch.view() is None, timeout=PATIENCE, what="its end")


# ---- a terminal -----------------------------------------------------------------------------------
ENTERED, LEFT, CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


def _as_in_a_shell() -> None:
    """Ignore no signal that whoever runs the tests may ignore: a script in the background, or nohup(1)."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Terminal:
    """``stratd top`` on a pseudo-terminal; ``seen`` is all that it wrote."""

    def __init__(self, runtime: Path) -> None:
        self.seen = b""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 200, 0, 0))
        environment = {**os.environ, "TERM": "xterm", "STRATD_RUNTIME_DIR": str(runtime)}
        environment.pop("STRATD_URL", None)
        command = [sys.executable, "-P", "-m", "cli.main", "top", "--interval", "0.2"]
        self.popen = subprocess.Popen(
            command,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            preexec_fn=_as_in_a_shell,  # noqa: PLW1509  (nothing but two calls of the kernel)
        )
        os.close(slave)

    def read(self) -> bytes:
        while select.select([self._master], [], [], 0)[0]:
            try:
                piece = os.read(self._master, 65536)
            except OSError:  # nobody has the other end any more: EIO (pty(7))
                break
            if not piece:
                break
            self.seen += piece
        return self.seen

    def until(self, text: str, after: int = 0) -> int:
        """Wait until ``text`` was written behind ``after``; return where all that was written ends."""
        wait_until(lambda: text.encode() in self.read()[after:], timeout=PATIENCE, what=f"{text!r}")
        return len(self.seen)

    def end(self, number: signal.Signals) -> int:
        """Send it a signal, and return how it ended."""
        self.popen.send_signal(number)
        wait_until(lambda: self.read() and self.popen.poll() is not None, timeout=PATIENCE, what="its end")
        self.read()
        return self.popen.returncode

    def close(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.popen.wait()
        os.close(self._master)

    @property
    def whole(self) -> bool:
        """Whether the last things said are the screen that was there before, and the cursor."""
        return self.seen.rfind(LEFT) > self.seen.rfind(ENTERED) and self.seen.rfind(CURSOR) > 0


@contextlib.contextmanager
def on_terminal(runtime: Path) -> Iterator[Terminal]:
    terminal = Terminal(runtime)
    try:
        yield terminal
    finally:
        terminal.close()


class Counting(FakeDaemon):
    """Counts how often the list is asked for."""

    lists = 0

    async def deployments(self):
        self.lists += 1
        return await super().deployments()


def fake(name: str) -> Counting:
    daemon = Counting()
    daemon.rows[name] = make_row(name, "running")
    return daemon


@pytest.mark.system
def test_it_lives_from_the_stream_survives_the_daemon_and_ends_by_ctrl_c(tmp_path):
    runtime = tmp_path / "runtime"
    first, second = fake("eurusd"), fake("gold")
    with contextlib.ExitStack() as stack:
        with Served(first) as served:
            runtime.symlink_to(served.folder)
            terminal = stack.enter_context(on_terminal(runtime))
            terminal.until("eurusd")
            wait_until(lambda: first.lists > 1 and first.hub.listeners, timeout=PATIENCE, what="the stream")
            asked = first.lists
            paused = make_row("eurusd", "paused")
            served.call(lambda: first.rows.update(eurusd=paused))
            terminal.until("paused")
            assert asked == first.lists, "nobody asked for what the stream tells"
            asyncio.run_coroutine_threadsafe(first.hub.close(), served.loop).result(PATIENCE)
        at = terminal.until("OLD: the last word came")
        with Served(second) as again:
            runtime.unlink()
            runtime.symlink_to(again.folder)
            terminal.until("gold", at)
            assert (130, True) == (terminal.end(signal.SIGINT), terminal.whole)
            asyncio.run_coroutine_threadsafe(second.hub.close(), again.loop).result(PATIENCE)


@pytest.mark.system
def test_stopped_or_hung_up_it_gives_the_terminal_back(tmp_path):
    with Served(fake("eurusd")) as served, on_terminal(served.folder) as terminal:
        terminal.until("eurusd")
        terminal.popen.send_signal(signal.SIGTSTP)
        wait_until(lambda: process(terminal.popen.pid).state == "T", timeout=PATIENCE, what="its stop")
        assert terminal.read()
        assert terminal.whole
        at = len(terminal.seen)
        terminal.popen.send_signal(signal.SIGCONT)
        terminal.until("eurusd", at)
        assert not terminal.whole
        assert (-signal.SIGHUP, True) == (terminal.end(signal.SIGHUP), terminal.whole)
