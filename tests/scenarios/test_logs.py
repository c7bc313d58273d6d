"""Scenarios 61 to 63 of supervision.md: what a strategy writes, whatever becomes of it or of the disk."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.scenarios.disks import fill, small_disk
from tests.scenarios.rig import PATIENCE, STRATD, Daemon, Site

pytestmark = pytest.mark.system

LAST_WORDS = """
def initialize(self, config):
    for number in range(500):
        print("line", number, "of the last five hundred")
    {end}
"""
TEN_KIB = """
def initialize(self, config):
    self.number = 0

def on_tick(self, data):
    for _ in range(10):
        print(f"line {self.number:08d} " + "x" * 1000)
        self.number += 1
"""


@pytest.mark.parametrize(
    ("end", "cause"),
    [
        ("os._exit(3)", "exit"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "signal"),
        ("raise SystemExit(1)", "exit"),
        ("while True: pass", "operator"),
    ],
)
def test_s61_last_lines_before_a_crash_are_all_in_the_log(daemon: Daemon, end: str, cause: str):
    """And the last 200 are on the record of the death (point 6 of the issue)."""
    daemon.site.strategy("talker", LAST_WORDS.format(end=end))
    assert daemon.site.stratd("strategies", "--rescan").code == 0
    before = daemon.seq
    daemon.start("talker", wait=False)
    if cause == "operator":  # killed while it hangs: its words came before its end all the same
        daemon.until_said("talker", "line", times=500)
        daemon.act("stop", "talker", now=True)
    daemon.until_event("died", "talker", after=before)
    expected = [f"line {number} of the last five hundred" for number in range(500)]
    said = [line.text for line in daemon.site.log("talker") if (line.generation, line.stream) == (1, "out")]
    assert said == expected
    record = daemon.deaths("talker")[-1]
    assert (record["generation"], record["cause"]) == (1, cause)
    tail = [line for line in record["log_tail"] if line.startswith("line ")]
    assert len(record["log_tail"]) == 200
    assert tail == expected[-len(tail) :]
    assert len(tail) > 150, "the rest of the 200 is what ended it"


def test_s62_rotation_by_rename_and_at_a_size_under_load_loses_and_tears_no_line(site: Site):
    site.with_feed().strategy("talker", TEN_KIB)
    daemon = site.daemon()
    folder = site.state / "logs"
    old = f"2026-01-01T00:00:00.000000000Z 0 out {'before ' * 140}\n"
    (folder / "talker.log").write_text(old * (10 * 2**20 // len(old) - 100))  # it is rotated at 10 MiB
    names = ("talker.log", "talker.log.1", "talker.log-20260101")
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("talker")
        for number in range(1, 61):
            feed.tick()
            last = f"line {10 * number - 1:08d} "
            daemon.until(lambda line=last: line in end_of(folder / "talker.log"), last)
            if number == 40:
                (folder / "talker.log").rename(folder / "talker.log-20260101")
    by_size, renamed, newest = (
        [line.split(" ", 3) for line in (folder / name).read_text().splitlines()]
        for name in ("talker.log.1", "talker.log-20260101", "talker.log")
    )
    assert (folder / "talker.log.1").stat().st_size >= 10 * 2**20
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    found = [line for line in by_size + renamed + newest if line[1] == "1"]
    assert [text for *_, text in found] == [f"line {number:08d} " + "x" * 1000 for number in range(600)]
    assert {stream for _, _, stream, _ in found} == {"out"}
    assert daemon.describe("talker")["log_dropped"] == 0
    shown = site.stratd("logs", "talker", "-n", "300").out.splitlines()
    assert len(shown) == 300, "as many as the files have that are its own"


def end_of(file: Path) -> str:
    """Return the last line of a log; "" while there is none: it may just have been renamed."""
    try:
        with file.open("rb") as lines:
            lines.seek(-min(1100, file.stat().st_size), os.SEEK_END)
            return lines.read().decode()
    except FileNotFoundError:
        return ""


NOT_TEXT = """
def initialize(self, config):
    os.write(1, bytes(range(256)) + b"\\n")
    os.write(1, b"\\xff\\xfe\\xf0\\x28 not UTF-8\\n")
    os.write(1, b"x" * 2**20 + b"\\n")
    os.write(1, b"2026-01-01T00:00:00.000000000Z 9 log forged\\r\\x85\\n")
    os.write(2, b"no newline at the end")
    print("sane")

def on_tick(self, data):
    print("tick")
"""


def test_s62_binary_endless_and_invalid_lines_are_made_safe(daemon: Daemon):
    daemon.site.strategy("binary", NOT_TEXT)
    assert daemon.site.stratd("strategies", "--rescan").code == 0
    daemon.start("binary")
    daemon.until_said("binary", "sane")
    raw = (daemon.site.state / "logs" / "binary.log").read_bytes()
    assert re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", raw) is None, "no byte that a terminal would obey"
    raw.decode()  # and all of it is UTF-8
    head = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 1 (out|err|log|stratd) "
    assert all(re.match(head, line) for line in raw.splitlines()), "every line is one of ours, none forged"
    texts = [line.text for line in daemon.site.log("binary")]
    (long,) = (text for text in texts if text.startswith("xxx"))
    assert (len(long) < 10_000, long.endswith("bytes cut")) == (True, True)
    daemon.act("stop", "binary")
    assert "no newline at the end" in [line.text for line in daemon.site.log("binary")]
    shown = daemon.site.stratd("logs", "binary", "-n", "1000")
    assert (shown.code, shown.err) == (0, "")


def test_s62_a_follower_whose_reader_goes_away_ends_quietly(site: Site):
    """``stratd logs -f ID | head`` (supervisor 1231, 1298), while lines come and the file goes."""
    site.with_feed().strategy("binary", NOT_TEXT)
    daemon = site.daemon()
    with site.feed() as feed:
        feed.wait_for_engine()
        daemon.start("binary")
        head = subprocess.Popen(["head", "-n", "3"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        logs = subprocess.Popen(
            [*STRATD, "logs", "binary", "-f"],
            env=site.environment(),
            stdout=head.stdin,
            stderr=subprocess.PIPE,
        )
        head.stdin.close()
        head.wait(PATIENCE)

        def ended() -> bool:
            feed.tick()
            (site.state / "logs" / "binary.log").unlink(missing_ok=True)
            return logs.poll() is not None

        daemon.until(ended, "the end of a follower without a reader")
        assert (logs.returncode, logs.stderr.read()) == (0, b"")
        logs.stderr.close()
        # An end of ours, too, is none of the daemon's: the next one sees what comes.
        daemon.until(
            lambda: feed.tick() and "tick" in site.stratd("logs", "binary").out, "a line for the next"
        )


TALKER = """
def on_tick(self, data):
    print("tick", data.price if hasattr(data, "price") else "", "y" * 500)
"""


def test_s63_a_full_log_disk_stops_no_strategy_is_counted_and_recovers(site: Site):
    site.with_feed().strategy("talker", TALKER)
    with small_disk(site.state / "logs", "256k") as disk:
        daemon = site.daemon()
        with site.feed() as feed:
            feed.wait_for_engine()
            first = daemon.start("talker")
            filler = fill(disk)

            def dropped() -> int:
                feed.tick()
                return int(daemon.describe("talker")["log_dropped"])

            daemon.until(dropped, "lines that the disk did not take")
            before = daemon.row("talker")
            daemon.until(
                lambda: feed.tick() and daemon.row("talker")["ticks"] > before["ticks"], "ticks all the same"
            )
            row = daemon.row("talker")
            assert (row["state"], row["pid"], row["restarts"]) == ("running", first["pid"], 0)
            assert "tick" in site.stratd("logs", "talker", "-n", "5").out, "memory still has the last lines"
            filler.unlink()
            written = (disk / "talker.log").stat().st_size
            daemon.until(
                lambda: feed.tick() and (disk / "talker.log").stat().st_size > written + 1000,
                "the log going on",
            )
            assert daemon.describe("talker")["log_dropped"] > 0, "what was lost stays counted"
            assert all(line.stream in ("out", "stratd") for line in site.log("talker")), "no line is torn"
        assert daemon.terminate() == 0
