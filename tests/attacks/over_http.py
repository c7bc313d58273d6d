"""Hand acts to a real daemon as source, over its API, and let those that it takes trade.

Writes a ``Registered`` as JSON to stdout.

::

    python -m tests.attacks.stage root|userns|bare over-http          each act in one of the settings, one way
    python -m tests.attacks.stage root over-http every                every act, both ways
    python -m tests.attacks.stage root over-http 051 signal           those whose name contains one of these

Awake, an act strikes in the check already; asleep, it is good until it is deployed, as whoever knows how code
is checked would write it. One daemon and one neighbour live beside all of them.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import msgspec

from sandbox.spec import Died
from tests.attacks.catalogue import THEIRS, Act, acts, read
from tests.attacks.host import changed, left, picture
from tests.attacks.outcome import MARK, outcome
from tests.attacks.results import Handed, Registered
from tests.attacks.run import EMPTY
from tests.attacks.stage import SETTINGS
from tests.attacks.victims import Victims
from tests.scenarios.rig import PATIENCE, Daemon, Feed, Site, none_alive
from tests.waiting import wait_until

WIDTH = 2
"""At a time: as many as a daemon checks."""
CHECKED = 180.0
"""Seconds for an answer to a registering: a check may take 120."""
TICK, BEAT = 0.05, 0.5
"""Seconds between two ticks of the neighbour, and between two heartbeats of the feed."""
KIT = (Path(__file__).parent / "attacker" / "kit.py").read_text()
STRATEGY = """
from strategies import IStrategy as _IStrategy


class Attacker(_IStrategy):
    def initialize(self, config):
        self.strikes = config.parameters["awake"]

    def on_candle_complete(self, timeframe, candle, data):
        return None

    def on_tick(self, data):
        if not self.strikes:
            return None
        self.strikes = False
        text, result = outcome_of(attack)
        line = f"\\n@outcome {text[:3000]}\\n".replace("\\0", "\\\\0").encode("utf-8", "backslashreplace")
        for descriptor in (1, 2):
            try:
                os.write(descriptor, line)
                break
            except OSError:
                continue
        if not text.startswith("returned:"):
            raise RuntimeError(text)
        return None if isinstance(result, str) else result
"""


class Task(NamedTuple):
    """One act to be handed in, one way; ``number`` makes its names its own."""

    number: int
    act: Act
    awake: bool


def tasks(setting: str, words: list[str]) -> list[Task]:
    """Return what is done in a setting: each act in one of the three and one way, if nothing else is said."""
    theirs = [read(path, own=False) for path in sorted(THEIRS.glob("[0-9]*.py"))]
    native = {act.name for act in acts()}
    chosen = []
    for number, act in enumerate(one for one in theirs if one.name in native):
        for awake in (True, False):
            mine = SETTINGS[number % 3] == setting and awake == bool(number // 3 % 2)
            if mine if not words else words == ["every"] or any(word in act.name for word in words):
                chosen.append(Task(2 * number + awake, act, awake))
    return chosen


class Market:
    """A feed that is fed by a thread of its own: ticks of the neighbour, heartbeats, and what is ordered."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._ordered: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._publish, name="market")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def tick(self, symbol: str) -> None:
        """Publish one tick of a symbol soon."""
        self._ordered.put(symbol)

    def _publish(self) -> None:
        beat = 0.0
        while not self._done.wait(TICK):
            while not self._ordered.empty():
                self._feed.tick(self._ordered.get())
            self._feed.tick("NEIGHBOUR")
            if time.monotonic() > beat:
                beat = time.monotonic() + BEAT
                self._feed.beat()


# ---- one act ---------------------------------------------------------------------------------------
def hand_in(daemon: Daemon, market: Market, task: Task, context: str) -> Handed:
    """Register an act; let it trade if it was taken; forget the deployment."""
    name, symbol = f"act-{task.number}", f"ACT{task.number}"
    head = f"{KIT}\nimport json as _json\nCTX, io = _json.loads({context!r}), IO\n"
    body = {
        "name": name,
        "code": f"{head}{task.act.source}{STRATEGY}",
        "instruments": [symbol],
        "timeframe": "1m",
        "parameters": {"awake": {"type": "boolean", "required": True}},
        "trial": {"awake": task.awake},
    }
    answer = daemon.http.post("/strategies/register", json=body, timeout=CHECKED)
    if answer.status_code != 201:
        return Handed(
            awake=task.awake, status=answer.status_code, said=answer.json().get("title", answer.text)
        )
    asked = {"strategy_id": name, "capital_allocation": 1000, "parameters": {"awake": True}}
    answer = daemon.http.post("/execute", json=asked, timeout=CHECKED)
    assert answer.status_code == 201, answer.text
    market.tick(symbol)
    deployment = answer.json()["deployment_id"]
    came = came_of(daemon, deployment)
    found = daemon.deaths(deployment)
    log = [line.text[:300] for line in daemon.site.log(deployment)][-25:]
    for verb in ("stop", "remove"):
        daemon.act(verb, deployment, now=True)
    death = f"{found[-1]['cause']}: {found[-1]['detail']}" if found else ""
    return Handed(awake=task.awake, status=201, said="", outcome=came, death=death, log=log)


def came_of(daemon: Daemon, name: str) -> str:
    """Wait for what comes of an act that trades: a line of its own, or its death."""

    def came() -> str | None:
        deaths = daemon.deaths(name)  # before its words: those of one that is dead are all there
        lines = [line.text for line in daemon.site.log(name) if line.text.startswith(MARK)]
        return outcome(lines, died(deaths[-1]) if deaths else None)

    try:
        return str(wait_until(came, timeout=PATIENCE, what="what comes of it", at_most=0.05))
    except AssertionError:
        return "silence"


def died(death: dict[str, Any]) -> Died:
    """Return a death that the API told as the warden reported it."""
    number = signal.Signals[death["signal"]] if death["signal"] else None
    return Died(death["cause"], death["detail"], exit_code=death["exit_code"], signal=number)


# ---- all of them -----------------------------------------------------------------------------------
def fight(setting: str, chosen: list[Task], secret: str) -> Registered:
    """Hand in all, and look at what they have done to anybody."""
    before = picture(*EMPTY)
    handed: dict[str, list[Handed]] = {}
    with place(secret) as (site, victims):
        site.environ["API_KEY"] = secret
        site.strategy("neighbour", "def on_tick(self, data):\n    return None", symbols=["NEIGHBOUR"])
        daemon = site.daemon()
        with site.feed() as feed, Market(feed.wait_for_engine()) as market:
            row = daemon.start("neighbour")
            context = victims.context(daemon.popen.pid, row["pid"], secret=True)
            with ThreadPoolExecutor(WIDTH) as workers:
                results = workers.map(lambda task: hand_in(daemon, market, task, context), chosen)
                for task, result in zip(chosen, results, strict=True):
                    handed.setdefault(task.act.name, []).append(result)
            neighbour = wrong_with_neighbour(daemon)
        wrong = wrong_with(daemon, row["pid"])
        harmed = victims.harmed()
    after = picture(*EMPTY)
    return Registered(
        setting=setting, acts=handed, neighbour=neighbour, daemon=wrong, harmed=harmed,
        changed=changed(before, after), left=left(before, after),
    )  # fmt: skip


@contextmanager
def place(secret: str) -> Iterator[tuple[Site, Victims]]:
    """Folders for a daemon, and whom acts are aimed at beside them."""
    # What is expected to be ended by its own doing takes its time on a busy host.
    site = Site(restart={"max_restarts": 1}, budgets={"tick": {"soft": 1, "hard": 6}}).with_feed()
    site.base.chmod(0o755)
    try:
        (site.base / "victims").mkdir()
        victims = Victims(site.base / "victims", secret)
        try:
            yield site, victims
        finally:
            victims.close()
    finally:
        site.remove()


def wrong_with_neighbour(daemon: Daemon) -> list[str]:
    """Say what is wrong with the neighbour: it should be in its first life, and take ticks."""
    row = daemon.row("neighbour")
    found = [] if (row["state"], row["generation"]) == ("running", 1) else [f"it is {row}"]
    seen = daemon.get("deployments/neighbour/metrics")["ticks"]
    try:
        daemon.until(lambda: daemon.get("deployments/neighbour/metrics")["ticks"] > seen, "a tick")
    except AssertionError:
        found.append(f"it takes no tick after {seen}")
    return found


def wrong_with(daemon: Daemon, neighbour: int) -> list[str]:
    """End the daemon; say what was wrong with it before, and what outlived it."""
    if daemon.popen.poll() is not None:
        return [f"it ended with {daemon.popen.returncode}: {daemon.stderr()[-2000:]}"]
    found = [f"problem: {line}" for line in daemon.status()["problems"]]
    below = daemon.tree()
    if neighbour not in {one.pid for one in below}:
        found.append("the neighbour is none of its processes any more")
    # What a strategy of its own was wrong with is told in lines of its deployment.
    own = [line for line in daemon.stderr().splitlines() if '"deployment"' not in line]
    found += [f"it wrote: {line[-1000:]}" for line in own if re.search("Traceback|critical|error", line)]
    if code := daemon.terminate():
        found.append(f"it ended with {code}")
    if not none_alive(below)():
        found.append("some of its processes live on")
    return found


def main(setting: str, words: list[str]) -> None:
    run = fight(setting, tasks(setting, words), os.environ["EXCHANGE_KEY"])
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(run)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
