"""``feed replay`` and ``feed synthetic`` as real publishers: what they read, and how Ctrl-C ends them."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from bus.messages import Bar, Tick
from bus.sockets import FeedSocket, Hub
from tests.cli.conftest import Run
from tests.waiting import wait_until

pytestmark = pytest.mark.system

Heard = list[list[bytes]]


@pytest.fixture
def endpoint(tmp_path: Path) -> str:
    return f"ipc://{tmp_path}/feed"


@pytest.fixture
def listen(endpoint: str) -> Iterator[Callable[[], Heard]]:
    """Subscribe, in a thread; return what is heard."""
    threads: list[threading.Thread] = []
    heard: Heard = []
    done = threading.Event()

    def body() -> None:
        hub = Hub()
        feed = FeedSocket(hub, endpoint, "connect")
        hub.watch(feed, lambda: heard.extend(feed.drain()))
        while not done.is_set():
            hub.wait(0.05)
        feed.close()
        hub.close()

    def start() -> Heard:
        threads.append(threading.Thread(target=body))
        threads[-1].start()
        return heard

    yield start
    done.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def command() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(line: str, sigint: object = signal.default_int_handler) -> subprocess.Popen[str]:
        running.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "cli.main", *line.split()],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                # Not as it is for whoever runs the tests, a script in the background maybe.
                preexec_fn=lambda: signal.signal(signal.SIGINT, sigint),  # noqa: PLW1509
            )
        )
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def ticks(heard: Heard) -> list[Tick]:
    return [
        msgspec.msgpack.decode(payload, type=Tick) for topic, payload in heard if topic.startswith(b"tick.")
    ]


def recording(folder: Path) -> Path:
    """An hour of one tick a second."""
    rows = "".join(f"2026-01-05T10:{n // 60:02d}:{n % 60:02d}Z,1.1\n" for n in range(3600))
    path = folder / "EURUSD.csv"
    path.write_text("time,price\n" + rows)
    return path


@pytest.mark.parametrize("verb", ["replay", "synthetic"])
def test_ctrl_c_ends_in_order_with_the_counts_so_far(verb, tmp_path, endpoint, listen, command):
    what = f"replay {recording(tmp_path)} --speed 20" if verb == "replay" else "synthetic --symbol EURUSD"
    process = command(f"feed {what} --endpoint {endpoint}")
    heard = listen()
    wait_until(lambda: len(ticks(heard)) >= 3, what="three ticks")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    sent = int(re.match(r"(\d+) ticks, ", out)[1])
    wait_until(lambda: len(ticks(heard)) == sent, what="everything that was counted as sent")
    topic, _ = heard[-1]
    assert topic == b"hb", "the last word names the last numbers, as at an end"


@pytest.mark.parametrize("verb", ["replay", "synthetic"])
def test_ctrl_c_before_anybody_subscribed_has_sent_nothing(verb, tmp_path, endpoint, command):
    what = f"replay {recording(tmp_path)}" if verb == "replay" else "synthetic"
    process = command(f"feed {what} --endpoint {endpoint}")
    wait_until((tmp_path / "feed").exists, what="the endpoint")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert out.startswith("0 ticks, ")


def test_a_background_job_of_a_script_goes_on_ignoring_ctrl_c(endpoint, listen, command):
    process = command(f"feed synthetic --seconds 1 --endpoint {endpoint}", signal.SIG_IGN)
    heard = listen()
    wait_until(lambda: ticks(heard), what="a tick")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    wait_until(lambda: out.startswith(f"{len(ticks(heard))} ticks, 4 symbols"), what="every tick of a second")


@pytest.fixture
def replayed(stratd: Run, endpoint: str, listen: Callable[[], Heard]) -> Callable[[Path, str], Heard]:
    def replay(path: Path, options: str) -> Heard:
        heard = listen()
        ended = stratd(f"feed replay {path} --endpoint {endpoint} --speed max {options}")
        assert (ended.code, ended.err) == (0, "")
        sent = sum(map(int, re.findall(r"(\d+) (?:ticks|bars|heartbeats)", ended.out)))
        wait_until(lambda: len(heard) == sent, what="everything that was sent")
        return [frames for frames in heard if frames[0] != b"hb"]

    return replay


def bars(heard: Heard) -> list[Bar]:
    return [msgspec.msgpack.decode(payload, type=Bar) for _, payload in heard]


def test_times_that_only_their_owner_can_read_are_read_as_told(tmp_path, replayed):
    (tmp_path / "x.csv").write_text("time,price\n05.01.2026T11|00|00,1.1\n05.01.2026T11|00|01,1.2\n")
    options = "--symbol X --timezone Europe/Berlin --date-format %d.%m.%YT%H|%M|%S"
    seen = ticks(replayed(tmp_path / "x.csv", options))
    assert [tick.ts for tick in seen] == [1_767_607_200 * 10**9, 1_767_607_201 * 10**9]


@pytest.mark.parametrize(("label", "open_time"), [("open", 1_767_607_200), ("close", 1_767_607_140)])
def test_a_candle_may_be_stamped_with_its_end(tmp_path, replayed, label, open_time):
    rows = "".join(f"2026-01-05T10:{minute:02d}:00Z,1,2,0.5,1.5,7\n" for minute in range(3))
    (tmp_path / "X.csv").write_text("time,open,high,low,close,volume\n" + rows)
    first = bars(replayed(tmp_path / "X.csv", f"--label {label}"))[0]
    assert (first.timeframe, first.open_time) == ("1m", open_time * 10**9)


@pytest.mark.parametrize(("price", "expected"), [("bid", 1.0), ("ask", 3.0), ("mid", 2.0)])
def test_of_candles_of_quotes_the_side_that_is_asked_for_is_taken(tmp_path, replayed, price, expected):
    path = tmp_path / "forex" / "oanda" / "minute" / "eurusd" / "20260105_quote.zip"
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(path, "w") as archive:
        rows = "0,1,1,1,1,1,3,3,3,3,1\n60000,1,1,1,1,1,3,3,3,3,1\n"
        archive.writestr("20260105_eurusd_minute_quote.csv", rows)
    assert [bar.close for bar in bars(replayed(path, f"--price {price}"))] == [expected, expected]
