"""Both Python clients follow a real daemon over its death: what is durable comes once each, and all of it."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable

import pytest

from supervisor.client import AsyncClient, Client
from supervisor.client.messages import Message
from tests.scenarios.rig import Daemon, Feed, Site
from tests.waiting import wait_until

pytestmark = pytest.mark.system
TOPICS = ["signals", "events"]
BUYER = "def on_tick(self, data):\n    return buy(data)\n"
Took = Callable[[Message], bool]


def follow_waiting(path: str, took: Took) -> None:
    """Read as the client that waits until ``took`` has what it wants."""
    with Client(path) as client:
        for message in client.follow(TOPICS, deployment_id="a", last_event_id="0-0"):
            if took(message):
                return


def follow_awaited(path: str, took: Took) -> None:
    """The same, as the client that is awaited."""

    async def follow() -> None:
        async with AsyncClient(path) as client:
            async for message in client.follow(TOPICS, deployment_id="a", last_event_id="0-0"):
                if took(message):
                    return

    asyncio.run(follow())


class Follower:
    """Follows on a thread of its own until the deployment is removed."""

    def __init__(self, follow: Callable[[str, Took], None], site: Site) -> None:
        self.numbers: dict[str, list[int]] = {topic: [] for topic in TOPICS}
        self._thread = threading.Thread(
            target=follow, args=(str(site.runtime / "api.sock"), self._took), daemon=True
        )
        self._thread.start()

    def _took(self, message: Message) -> bool:
        self.numbers[message.topic].append(message.data["seq"])
        return message.data.get("kind") == "removed"

    def ended(self) -> bool:
        return not self._thread.is_alive()


def trade(daemon: Daemon, feed: Feed, followers: list[Follower], least: int) -> None:
    """Tick until everyone has been told of so many signals."""
    feed.wait_for_engine()
    daemon.until_state("a", "running")

    asked = itertools.count()

    def told() -> bool:
        if next(asked) % 20 == 0:  # a tenth of a second apart: what was told is to be counted, not the market
            feed.tick()
        return all(len(one.numbers["signals"]) >= least for one in followers)

    wait_until(told, timeout=50, what=f"{least} signals for each follower")


def test_a_client_that_follows_goes_on_behind_the_last_message_when_the_daemon_was_killed(site: Site):
    site.with_feed()
    site.strategy("buyer", BUYER)
    daemon = site.daemon()
    daemon.start("a", "buyer", symbols=["EURUSD"])
    followers = [Follower(follow, site) for follow in (follow_waiting, follow_awaited)]
    with site.feed() as feed:
        trade(daemon, feed, followers, 3)
        before = max(one.numbers["signals"][-1] for one in followers)
        daemon.kill()
        daemon = site.daemon()
        trade(daemon, feed, followers, len(followers[0].numbers["signals"]) + 3)
    daemon.act("stop", "a")
    known = {
        "signals": [one["seq"] for one in daemon.get("deployments/a/signals", limit=1000)],
        "events": [one["seq"] for one in daemon.events(name="a")],
    }
    last = max(known["signals"])  # a removal is told at once, signals within a second
    wait_until(
        lambda: all(last in one.numbers["signals"] for one in followers), timeout=50, what="the last one"
    )
    daemon.act("remove", "a")
    wait_until(lambda: all(one.ended() for one in followers), timeout=50, what="the end of both")
    assert before < known["signals"][-1]
    for one in followers:
        assert sorted(known["signals"]) == one.numbers["signals"]
        assert known["events"] == one.numbers["events"][: len(known["events"])]
        assert one.numbers["events"] == sorted(set(one.numbers["events"]))
