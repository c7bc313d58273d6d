"""Commands on a daemon as a process of its own: told once, in their place, whoever dies on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from tests.scenarios.rig import Daemon, Feed, Site

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
    if name == "deadly":
        if not self.again:
            os.kill(os.getpid(), signal.SIGKILL)
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
def daemon() -> Iterator[Daemon]:
    """One daemon for all of these, which starts again at once what was killed."""
    site = Site(restart={"delay": 0.1}).with_feed()
    site.strategy("biased", BIASED)
    yield site.daemon()
    site.remove()


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
    assert ["2", "2", "3"] == daemon.until_said("one", "told", 3), "who lives is not told again"

    engine, strategy = daemon.part("engine"), daemon.strategy("one")
    engine.kill()
    strategy.kill()
    daemon.until_state("one", "running", generation=3)
    assert ["2", "2", "3", "2", "3"] == daemon.until_said("one", "told", 5)
    trade(daemon, feed, "one", 104, "3 at 104")
    wanted = {"2 at 101", "2 at 102", "3 at 103", "3 at 104"}
    # A price that is on its way while the command is given comes behind it.
    assert wanted <= set(wishes(daemon, "one")) <= wanted | {"3 at 102"}
    daemon.until(lambda: daemon.row("one")["signals"]["duplicate"], "what was said again, and traded once")
    daemon.until(lambda: ["set", "set"] == done(daemon, "one"), "both commands in the log of events")
    assert daemon.act("stop", "one", now=True)["problem"] is None


def test_one_that_dies_of_it_is_told_again_and_its_next_instance_answers(daemon: Daemon):
    daemon.start("two", "biased")
    assert 200 == post(daemon, "two", "checkpoint").status_code
    answer = command(daemon, "two", "deadly")
    assert (200, "by the next one") == (answer.status_code, answer.json()["answer"])
    assert 2 == daemon.row("two")["generation"]


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
