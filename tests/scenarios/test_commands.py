"""Commands on a daemon as a process of its own: told once, in their place, whoever dies on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from tests.scenarios.rig import Daemon, Feed

pytestmark = pytest.mark.system

BIASED = """
def initialize(self, config):
    self.bias = 0
    self.again = False

def on_start(self, ctx, recovered):
    self.again = recovered

def on_tick(self, data):
    if self.bias:
        return buy(data, reason=f"{self.bias} at {data.tick.last:g}")

def on_command(self, name, payload):
    if name == "set":
        self.bias = payload["bias"]
        print("told", self.bias, flush=True)
        return {"bias": self.bias}
    if name == "slow":
        if not self.again:
            print("begun", flush=True)
            time.sleep(3600)
        return "by the next one"
    return super().on_command(name, payload)

def inspect(self):
    return {"bias": self.bias}

def save_state(self):
    if self.bias:
        raise ValueError("not now")
    return {}
"""
"""Once it has a bias it can save nothing: whoever follows begins from before its first command."""


@pytest.fixture(scope="module")
def daemon(shared: Daemon) -> Daemon:
    """One daemon for all of these; ``shared`` ends it."""
    shared.site.strategy("biased", BIASED)
    return shared


@pytest.fixture(scope="module")
def feed(daemon: Daemon) -> Iterator[Feed]:
    with daemon.site.feed() as one:
        yield one.wait_for_engine()


def post(daemon: Daemon, name: str, what: str, body: object = None, timeout: int = 50) -> httpx.Response:
    target = f"/deployments/{name}/{what}?timeout={timeout}"
    return daemon.http.post(target, json=body, timeout=2 * timeout)


def command(daemon: Daemon, name: str, what: str, payload: object = None) -> httpx.Response:
    return post(daemon, name, "command", {"name": what, "payload": payload})


def wishes(daemon: Daemon, name: str) -> list[str]:
    """Return what was accepted of a deployment, each wish once, in order."""
    text = daemon.http.get("/signals", params={"deployment_id": name, "verdict": "accepted", "n": 1000}).text
    return list(dict.fromkeys(json.loads(line)["reason"] for line in text.splitlines()))


def done(daemon: Daemon, name: str) -> list[str]:
    """Return the commands that the log of events calls done."""
    noted = [event["detail"].partition(" by ") for event in daemon.events("command", name=name)]
    return [what for what, _, how in noted if how.endswith(": done")]


def trade(daemon: Daemon, feed: Feed, name: str, price: float, wish: str) -> None:
    """Publish a price until ``wish`` is what came of it."""

    def wished() -> bool:
        feed.beat()
        feed.tick(price=price)
        return wish in wishes(daemon, name)

    daemon.until(wished, f"{wish!r} accepted")


def test_a_command_outlives_strategy_and_engine_and_is_told_once_to_each_life(daemon: Daemon, feed: Feed):
    daemon.start("one", "biased")
    assert 200 == post(daemon, "one", "checkpoint").status_code
    assert {"bias": 2} == command(daemon, "one", "set", {"bias": 2}).json()["answer"]
    trade(daemon, feed, "one", 101, "2 at 101")

    daemon.strategy("one").kill()
    daemon.until_state("one", "running", generation=2)
    assert ["2", "2"] == daemon.until_said("one", "told", 2)
    trade(daemon, feed, "one", 102, "2 at 102")

    assert 200 == command(daemon, "one", "set", {"bias": 3}).status_code
    engine = daemon.part("engine")
    engine.kill()
    daemon.until(lambda: not engine.alive, "the engine gone")
    daemon.part("engine")
    trade(daemon, feed, "one", 103, "3 at 103")
    assert ["2", "2", "3"] == daemon.site.said("one", "told"), "who lives is not told again"

    engine, strategy = daemon.part("engine"), daemon.strategy("one")
    engine.kill()
    strategy.kill()
    daemon.until_state("one", "running", generation=3)
    assert ["2", "2", "3", "2", "3"] == daemon.until_said("one", "told", 5)
    trade(daemon, feed, "one", 104, "3 at 104")
    assert ["2 at 101", "2 at 102", "3 at 103", "3 at 104"] == wishes(daemon, "one")
    daemon.until(lambda: daemon.row("one")["signals"]["duplicate"], "what was said again, and traded once")
    daemon.until(lambda: ["set", "set"] == done(daemon, "one"), "both commands in the log of events")
    assert daemon.act("stop", "one", now=True)["problem"] is None


def test_whoever_waits_is_answered_by_the_next_instance(daemon: Daemon):
    daemon.start("slow", "biased")
    assert 200 == post(daemon, "slow", "checkpoint").status_code
    with ThreadPoolExecutor(1) as waiting:
        answer = waiting.submit(command, daemon, "slow", "slow")
        daemon.until_said("slow", "begun")
        daemon.strategy("slow").kill()
        assert (200, "by the next one") == (answer.result().status_code, answer.result().json()["answer"])
    assert 2 == daemon.row("slow")["generation"]


def test_what_a_strategy_refuses_and_what_it_shows(daemon: Daemon):
    daemon.start("shows", "biased")
    assert {"bias": 7} == command(daemon, "shows", "set", {"bias": 7}).json()["answer"]
    assert {"bias": 7} == daemon.get("deployments/shows/inspect")["shown"]
    answer = command(daemon, "shows", "dance")
    assert (422, "dance: NotImplementedError: Strategy takes no command 'dance'") == (
        answer.status_code,
        answer.json()["title"],
    )
    answer = post(daemon, "shows", "checkpoint")
    assert (422, True) == (answer.status_code, "save_state made none" in answer.json()["title"])
    daemon.act("pause", "shows")
    daemon.until_state("shows", "paused")
    assert {"bias": 0} == command(daemon, "shows", "set", {"bias": 0}).json()["answer"]
    saved = post(daemon, "shows", "checkpoint").json()
    assert saved["seq"] in [one["seq"] for one in daemon.get("deployments/shows/checkpoints")]
    daemon.act("stop", "shows", now=True)
    for what, body in (("command", {"name": "set"}), ("checkpoint", None)):
        answer = post(daemon, "shows", what, body)
        assert (409, True) == (answer.status_code, "it is stopped" in answer.json()["title"])
