"""How every view of the dashboard reads: contrast, names for who hears it, room on a phone, both schemes."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.page.chromium import TIMEOUT
from tests.scenarios.rig import PATIENCE

pytestmark = [pytest.mark.system, pytest.mark.timeout(TIMEOUT)]
expect.set_options(timeout=PATIENCE * 1000)

VIEWS = {
    "deployments": ("/", "Pause theta"),
    "deployment": ("/deployments/theta", "candle 1"),
    "accounts": ("/accounts", "USD"),
    "feeds": ("/feeds", "healthy"),
    "strategies": ("/strategies", "crasher"),
    "start": ("/start/trader@1.0.0", "period"),
    "register": ("/register", "Check and register"),
    "events": ("/events", "theta"),
}
"""By name: where it is, and a word that it shows when it is whole."""

HERE = Path(__file__).parent
CONTRAST = (HERE / "contrast.js").read_text().partition("\n")[2]
UNNAMED = (HERE / "unnamed.js").read_text().partition("\n")[2]


def show(page: Page, name: str) -> None:
    """Go to a view, and wait until it shows what it is about."""
    route, word = VIEWS[name]
    page.evaluate("route => { location.hash = route }", route)
    if word.startswith("Pause "):
        expect(page.get_by_role("button", name=word)).to_be_visible()
    else:
        expect(page.locator("main")).to_contain_text(word)
    expect(page.locator("#link")).to_have_text("Live")


@pytest.fixture
def theta(world, started):
    started("theta", "trader")
    world.daemon.act("pause", started("iota", "idle"), reason="a closer look at what it does")
    world.daemon.start("kappa", "crasher", wait=False)
    world.daemon.until_state("kappa", "quarantined")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_view_reads_well_in_both_schemes(pages, theta, dark):
    page = pages.open(dark=dark)
    for name in VIEWS:
        show(page, name)
        told = page.evaluate(CONTRAST)
        assert told["texts"] > 10, name
        assert [] == told["found"], name
        assert [] == page.evaluate(UNNAMED), name
        assert 1 == page.locator("h1").count() == page.locator("main").count()
        pages.keep(page, f"{name}-{'dark' if dark else 'light'}")


def test_every_view_fits_a_phone(pages, theta):
    page = pages.open(width=360, height=740, has_touch=True)
    for name in VIEWS:
        show(page, name)
        assert 360 == page.evaluate("document.scrollingElement.scrollWidth"), name
        pages.keep(page, f"{name}-phone")


def test_colours_are_chosen_by_hand_too_and_stay_chosen(pages):
    page = pages.open(dark=False)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Colours").select_option("dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert dark == page.evaluate(ground)
    page.get_by_label("Colours").select_option("auto")
    assert light == page.evaluate(ground)
