"""What is lost between a real publisher and the engine, over real sockets, comes back."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import pytest

from bus.messages import Candles, Tick
from bus.pacing import publish
from bus.serving import Serving
from bus.sessions import always
from bus.sockets import Hub, Publisher
from supervisor.control import Configure, EngineEvent, EngineStats, FeedSpec
from supervisor.engine.feeds import FeedPort
from tests.supervisor.engine_harness import EngineProcess
from tests.waiting import wait_until

S = 1_000_000_000
T0 = 1_700_000_000 * S
pytestmark = pytest.mark.system


class Lossy:
    """A publisher in a thread that keeps everything and sends what ``loses`` does not take."""

    def __init__(self, endpoint: str, loses: Callable[[bytes, bytes], bool]) -> None:
        self.publisher = Publisher(endpoint)
        self.serving = Serving(f"{endpoint}.recovery")
        self.loses = loses
        self.lost = 0
        self.stop = threading.Event()
        self._thread = threading.Thread(target=lambda: None)

    def send(self, topic: bytes, payload: bytes) -> None:
        if self.loses(topic, payload):
            self.lost += 1
        else:
            self.publisher.send(topic, payload)

    def send_frames(self, frames: list[bytes]) -> None:
        raise AssertionError(frames)

    def start(self, ticks: list[Tick], speed: float) -> None:
        """Publish and stay until it is closed."""

        def work() -> None:
            timed = [(tick.ts, tick) for tick in ticks]
            publish(timed, self, speed=speed, keeper=self.serving, stay=60, should_stop=self.stop.is_set)

        self._thread = threading.Thread(target=work)
        self._thread.start()

    def close(self) -> None:
        self.stop.set()
        self._thread.join()
        self.serving.close()
        self.publisher.close(0)


def market(count: int) -> list[Tick]:
    """Ticks of three symbols in turn, ten a second."""
    return [Tick("XYZ"[n % 3], T0 + n * S // 10, last=100.0, size=1.0) for n in range(count)]


def test_a_lossy_feed_is_delivered_whole_once_and_in_order(engine):
    dice = random.Random(7)
    warm = {b"tick.X": 0, b"tick.Y": 0, b"tick.Z": 0, b"hb": 0}

    def loses(topic: bytes, _payload: bytes) -> bool:
        # The first of each must come, or nobody would know that there is anything to ask, and whom.
        warm[topic] += 1
        return min(warm.values()) > 1 and dice.random() < 0.3

    endpoint = f"ipc://{engine.folder}/feed"
    lossy, cell = Lossy(endpoint, loses), engine.attach(symbols=["X", "Y", "Z"])
    cell.run()
    engine.tell(Configure([FeedSpec(name="main", endpoint=endpoint)]))
    assert lossy.publisher.wait_for_subscriber(10)
    lossy.start(market(600), speed=20.0)
    wait_until(lambda: len(cell.ticks()) == 600, timeout=60, what="every tick")
    for n, symbol in enumerate("XYZ"):
        assert [t.seq for t in cell.ticks() if t.symbol == symbol] == list(range(1, 201))
        assert [t.ts for t in cell.ticks() if t.symbol == symbol] == [
            T0 + i * S // 10 for i in range(n, 600, 3)
        ]
    row = engine.wait_news(EngineStats, lambda s: s.feeds and s.feeds[0].ticks == 600).feeds[0]
    assert lossy.lost > 50
    assert (row.gaps, row.duplicates, row.rejected) == (0, 0, {})
    assert engine.events("feed_gap") == []
    assert "messages recovered" in engine.wait_news(EngineEvent, lambda e: e.kind == "feed_recovered").detail
    lossy.close()
    cell.close()


ON_AND_ON = """
import sys
from bus.messages import Tick
from bus.pacing import publish
from bus.serving import Serving
from bus.sockets import Publisher

# Goes on with its numbers: what was published before is kept, and not sent again.
endpoint, begin, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
S = 1_000_000_000
T0 = 1_700_000_000 * S

class Sender:
    sent = 0
    def send(self, topic, payload):
        if topic == b"hb":
            if self.sent > begin:
                publisher.send(topic, payload)
            return
        self.sent += 1
        if self.sent > begin:
            publisher.send(topic, payload)

ticks = ((T0 + n * S // 10, Tick("XYZ"[n % 3], T0 + n * S // 10, last=100.0)) for n in range(count))
with Publisher(endpoint) as publisher, Serving(endpoint + ".recovery") as serving:
    publisher.wait_for_subscriber(60)
    publish(ticks, Sender(), speed=20.0, keeper=serving, stay=60)
"""


def test_a_publisher_that_is_killed_and_goes_on_elsewhere_in_its_data_leaves_no_hole(engine):
    def start(begin: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", ON_AND_ON, endpoint, str(begin), "600"])

    def end(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait()

    endpoint = f"ipc://{engine.folder}/feed"
    cell = engine.attach(symbols=["X", "Y", "Z"])
    cell.run()
    first = start(0)
    engine.tell(Configure([FeedSpec(name="main", endpoint=endpoint)]))
    wait_until(lambda: len(cell.ticks()) > 300, timeout=60, what="half of it")
    end(first)
    engine.wait_news(EngineEvent, lambda e: e.kind == "feed_disconnected" and "gone" in e.detail)
    assert len(cell.ticks()) < 500, "it was killed too late to show anything"
    second = start(500)
    wait_until(lambda: len(cell.ticks()) == 600, timeout=60, what="every tick")
    for symbol in "XYZ":
        assert [t.seq for t in cell.ticks() if t.symbol == symbol] == list(range(1, 201))
    candles = [c for m in cell.listen() if isinstance(m, Candles) for c in m.candles if c.symbol == "X"]
    assert [(c.open_time - T0) // S for c in candles] == list(range(len(candles))), "no candle is withheld"
    assert len(candles) >= 57
    assert engine.events("feed_gap") == []
    end(second)
    cell.close()


def test_a_subscriber_that_was_killed_is_given_what_came_meanwhile(tmp_path):
    endpoint = f"ipc://{tmp_path}/feed"
    lossy = Lossy(endpoint, lambda _topic, _payload: False)
    heard: list[tuple[str, int | None]] = []

    def subscribe(known=None) -> tuple[Hub, FeedPort]:
        hub = Hub()
        port = FeedPort(hub, FeedSpec(name="main", endpoint=endpoint), always(), "deliver", known=known)
        hub.watch(port.socket, lambda: take(port))
        return hub, port

    def take(port: FeedPort) -> None:
        for items in port.items(time.time_ns(), lambda _status: None):
            heard.extend((item.symbol, item.seq) for item in items)

    def hear(hub: Hub, port: FeedPort, count: int) -> bool:
        hub.wait(0.01)
        port.check(time.time_ns(), lambda _status: None)
        return len(heard) >= count

    hub, port = subscribe()
    assert lossy.publisher.wait_for_subscriber(10)
    lossy.start(market(900), speed=30.0)
    wait_until(lambda: hear(hub, port, 100), timeout=60, what="a beginning")
    wait_until(lambda: hear(hub, port, 0) and port.intake.announced, what="a heartbeat")
    known = port.snapshot()
    port.close()
    hub.close()
    wait_until(lambda: len(lossy.serving._shelf) > len(heard) + 100, timeout=60, what="what it misses")
    hub, port = subscribe(known)
    wait_until(lambda: hear(hub, port, 900), timeout=60, what="all of it")
    assert heard == [("XYZ"[n % 3], n // 3 + 1) for n in range(900)]
    assert port.intake.gaps == 0
    assert port.clock.held is False
    port.close()
    hub.close()
    lossy.close()


def test_an_engine_that_is_killed_goes_on_with_the_very_next_tick(tmp_path):
    first, endpoint = EngineProcess(tmp_path), f"ipc://{tmp_path}/feed"
    lossy = Lossy(endpoint, lambda _topic, _payload: False)
    configure = Configure([FeedSpec(name="main", endpoint=endpoint)])
    cell = first.attach(symbols=["X", "Y", "Z"])
    cell.run()
    first.tell(configure)
    assert lossy.publisher.wait_for_subscriber(10)
    lossy.start(market(900), speed=10.0)
    first.wait_news(EngineStats, lambda s: s.feeds and s.feeds[0].heartbeats >= 2)
    first.process.kill()
    first.end()
    heard = cell.ticks()
    cell.close()
    wait_until(lambda: len(lossy.serving._shelf) > len(heard) + 50, timeout=60, what="what it misses")
    second = EngineProcess(tmp_path)
    cell = second.attach(symbols=["X", "Y", "Z"], generation=2)
    cell.run()
    second.tell(configure)
    wait_until(lambda: len(heard) + len(cell.ticks()) == 900, timeout=60, what="every tick")
    for symbol in "XYZ":
        assert [t.seq for t in (*heard, *cell.ticks()) if t.symbol == symbol] == list(range(1, 301))
    assert second.events("feed_gap") == []
    lossy.close()
    cell.close()
    assert (second.stop(), second.stderr) == (0, "")


def test_stratd_feed_replay_serves_what_it_published(engine):
    path = engine.folder / "X.csv"
    path.write_text("time,price\n" + "".join(f"2026-01-05T10:00:{n:02d}Z,1.1\n" for n in range(60)))
    endpoint = f"ipc://{engine.folder}/feed"
    options = ["--endpoint", endpoint, "--speed", "max", "--stay", "60"]
    publisher = subprocess.Popen(
        [sys.executable, "-P", "-m", "cli.main", "feed", "replay", str(path), *options]
    )
    early = engine.attach("early")
    early.run()
    engine.tell(Configure([FeedSpec(name="main", endpoint=endpoint, recovery=f"{endpoint}.recovery")]))
    wait_until(lambda: len(early.ticks()) == 60, what="the recording")
    assert engine.wait_news(EngineStats, lambda s: s.feeds and s.feeds[0].heartbeats >= 2).feeds[0].gaps == 0
    publisher.terminate()
    publisher.wait()
    early.close()
