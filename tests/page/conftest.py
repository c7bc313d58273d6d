"""A browser, and a daemon with a market in front of it, for the tests of one module."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.page.chromium import arguments, executable, shots
from tests.page.forwarder import Forwarder
from tests.scenarios.rig import PATIENCE, STRATD, Daemon, Site

TRADER = """
def initialize(self, config):
    self.seen = 0
def on_candle_complete(self, timeframe, candle, data):
    self.seen += 1
    print(f"candle {self.seen} <img src=x onerror=document.title=1>")
    if self.seen % 2:
        intent = "enter_long" if self.seen % 4 == 1 else "exit_long"
        return Signal(symbol=candle.symbol, intent=intent, quantity=10, reason="<b>so</b>", ttl_ms=60_000)
def inspect(self):
    return {"mood": "<img src=x onerror=document.title=1>", "levels": [1.5, None]}
"""
CRASHER = """
def on_tick(self, data):
    raise ValueError("<script>document.title = 'hacked'</script>")
"""
ASKER = """
def initialize(self, config):
    self.asked = 0
def on_candle_complete(self, timeframe, candle, data):
    if self.asked < 2:
        self.asked += 1
        return buy(data, leg=str(self.asked), ttl_ms=3_600_000)
"""
"""Two entries, for which a person has an hour."""
PARAMETERS = [
    {
        "name": "period",
        "type": "integer",
        "default": 14,
        "min": 2,
        "max": 200,
        "description": "<i>how long</i>",
    },
    {"name": "side", "type": "enum", "choices": ["long", "short"], "default": "long"},
    {"name": "eager", "type": "boolean", "default": False},
]


class World(NamedTuple):
    """One daemon, where a browser finds it, and the cable between them."""

    daemon: Daemon
    front: Forwarder
    url: str


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """A daemon with a made-up market of its own, whose candles close each second."""
    with ExitStack() as cleanup:
        site = Site(
            accounts={"default": {"currency": "USD", "capital": 100_000}}, restart={"max_restarts": 1}
        )
        cleanup.callback(site.remove)
        site.with_feed()
        site.strategy(
            "trader",
            TRADER,
            timeframes=["1s"],
            parameters=PARAMETERS,
            description="Buys <b>high</b> & sells low.",
        )
        site.strategy("crasher", CRASHER)
        site.strategy("asker", ASKER, timeframes=["1s"])
        daemon = site.daemon()
        market = subprocess.Popen(
            [*STRATD, "feed", "synthetic", "--endpoint", site.endpoint(), "--symbol", "EURUSD"],
            env=site.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        cleanup.callback(market.wait)
        cleanup.callback(market.terminate)
        # Until the engine has told of them first, positions are answered with 503: no fault of a page.
        daemon.until(lambda: daemon.http.get("/positions").status_code == HTTPStatus.OK, "word of positions")
        front = cleanup.enter_context(Forwarder(site.runtime / "api.sock"))
        yield World(daemon, front, front.url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window, for one module: Playwright's loop would be in the way of others' own."""
    path = executable()
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=path, args=arguments(), timeout=PATIENCE * 1000)
        yield one
        one.close()


class Watched:
    """Pages that are looked after: what they say on the console, where they send requests, how they look."""

    def __init__(self, browser: Browser, url: str, folder: Path) -> None:
        self._browser = browser
        self._url = url
        self._folder = folder
        self._cleanup = ExitStack()
        self.wrong: list[str] = []
        self.expected = ""
        """What may be on the console, as a pattern: a browser writes every failed request there."""

    def open(
        self, route: str = "", *, width: int = 1280, height: int = 900, dark: bool = False, **how: object
    ) -> Page:
        """Open the page at ``route`` in a window of its own."""
        context = self._browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", **how
        )
        self._cleanup.callback(context.close)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("console", lambda said: self._heard(said.type, said.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("response", lambda answer: self._answered(answer.status, answer.url))
        page.on("request", lambda request: self._asked(request.url))
        page.goto(f"{self._url}/#{route}")
        return page

    def _heard(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.wrong.append(text)

    def _answered(self, status: int, url: str) -> None:
        if status >= 500:
            self.wrong.append(f"{status} {url}")

    def _asked(self, url: str) -> None:
        if not url.startswith((self._url, "data:", "blob:")):
            self.wrong.append(f"a request to another host: {url}")

    def keep(self, page: Page, name: str) -> None:
        """Keep what the page looks like now."""
        page.screenshot(path=self._folder / f"{name}.png")

    def close(self) -> list[str]:
        """Close every window; return what was wrong with them."""
        self._cleanup.close()
        return [one for one in self.wrong if not self.expected or not re.search(self.expected, one)]


@pytest.fixture
def started(world: World) -> Iterator[Callable[..., str]]:
    """Start deployments that are gone after the test."""

    def start(name: str, strategy: str, **how: object) -> str:
        world.daemon.start(name, strategy, **how)
        return name

    yield start
    world.daemon.clear()


@pytest.fixture
def pages(browser: Browser, world: World, tmp_path: Path, started: Callable[..., str]) -> Iterator[Watched]:
    """Open pages of the daemon; none may have an error, or have asked another host, when the test is over.

    They are closed before the deployments go: an open page would ask for what is no longer there.
    """
    watched = Watched(browser, world.url, shots(tmp_path))
    yield watched
    assert [] == watched.close()
