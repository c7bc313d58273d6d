"""A deployment that holds something: for scenarios of what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.scenarios.rig import Daemon, Feed, Site

BUYS = """
bought = False

def on_tick(self, data):
    if self.bought:
        return None
    self.bought = True
    from strategies import Level
    return buy(data, stop_loss=Level("pct", 2.0))

def save_state(self):
    return {"bought": self.bought}

def load_state(self, state, version):
    self.bought = state["bought"]
"""


@contextmanager
def hold(site: Site) -> Iterator[tuple[Daemon, Feed]]:
    """Run a daemon whose deployment ``holder`` holds one EURUSD, bought at 100, with a stop at 98."""
    site.strategy("holder", BUYS)
    daemon = site.daemon()
    daemon.start("holder")
    with site.feed() as feed:
        feed.wait_for_engine()
        pump(daemon, feed, 100.0, lambda: held(daemon) == 1.0)
        yield daemon, feed


def pump(daemon: Daemon, feed: Feed, price: float, until: Callable[[], bool]) -> None:
    """Publish one price, until something has come of it."""

    def look() -> bool:
        feed.tick(price=price)
        feed.beat()
        return until()

    daemon.until(look, f"what a price of {price:g} is to bring about")


def rows(daemon: Daemon, route: str) -> list[dict[str, Any]]:
    """Return what the daemon lists; nothing while it cannot say."""
    answer = daemon.http.get(f"/{route}")
    return answer.json() if answer.status_code == 200 else []


def held(daemon: Daemon) -> float:
    """Return what all deployments hold together."""
    return sum(row["quantity"] for row in rows(daemon, "positions"))
