"""The dashboard as people use it: a real browser before a real daemon, a real market and real strategies."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest
from playwright.sync_api import Page, expect

from tests.page.chromium import TIMEOUT
from tests.scenarios.rig import PATIENCE

pytestmark = [pytest.mark.system, pytest.mark.timeout(TIMEOUT)]
expect.set_options(timeout=PATIENCE * 1000)


def row(page: Page, name: str):
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def test_what_is_empty_says_what_to_do(pages):
    page = pages.open("/")
    expect(page.get_by_text("Nothing is deployed yet.")).to_be_visible()
    page.get_by_role("link", name="register your own").click()
    expect(page.get_by_role("heading", name="Register a strategy")).to_be_focused()


def test_the_table_is_live_and_each_verb_acts_after_its_question(pages, world, started):
    started("alpha", "trader")
    page = pages.open("/")
    alpha = row(page, "alpha")
    expect(alpha).to_contain_text("running")
    expect(alpha.get_by_role("meter", name=re.compile("Memory of alpha"))).to_have_attribute(
        "aria-valuetext", re.compile(r"\d MiB")
    )
    expect(page.get_by_role("status").filter(has_text="Live")).to_be_visible()

    world.daemon.act("pause", "alpha", reason="<u>a look</u>")
    expect(alpha).to_contain_text("paused")
    expect(alpha).to_contain_text("<u>a look</u>")  # the words themselves
    pages.keep(page, "deployments")

    page.get_by_role("button", name="Resume alpha").click()
    expect(alpha).to_contain_text("running")
    page.get_by_role("button", name="Stop alpha").click()
    dialog = page.get_by_role("dialog", name="Stop alpha?")
    dialog.get_by_label("Reason (optional)").fill("enough <b>of it</b>")
    dialog.get_by_role("button", name="Stop", exact=True).click()
    expect(alpha).to_contain_text("stopped")
    assert "enough <b>of it</b>" == world.daemon.row("alpha")["reason"]

    page.get_by_role("button", name="Start alpha").click()
    expect(alpha).to_contain_text("running")


def test_a_strategy_is_started_by_its_form_watched_and_killed(pages, world, started):
    pages.expected = "status of 422"  # the browser's own words on the first attempt
    page = pages.open("/strategies")
    expect(page.get_by_text("Buys <b>high</b> & sells low.")).to_be_visible()
    page.get_by_role("link", name="Start trader 1.0.0").click()
    page.get_by_label("Name").fill("beta")
    page.get_by_label("period").fill("1000")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="from 2 to 200")).to_be_focused()
    expect(page.get_by_label("period")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("period").fill("21")
    page.get_by_label("side").select_option("short")
    page.get_by_label("eager").check()
    pages.keep(page, "start")
    page.get_by_role("button", name="Start", exact=True).click()

    expect(page.get_by_role("heading", name="beta", level=1)).to_be_visible()
    assert {"period": 21, "side": "short", "eager": True} == world.daemon.describe("beta")["parameters"]
    signals = page.get_by_role("table", name="Signals")
    expect(signals.get_by_role("row").nth(2)).to_contain_text("accepted")
    expect(page.get_by_role("table", name="Fills").get_by_role("row").nth(2)).to_contain_text("EURUSD")
    expect(page.get_by_role("img", name=re.compile("Candles of EURUSD 1s.* [1-9]\\d* fills"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Equity after each fill"))).to_be_visible()
    log = page.get_by_role("log", name="Log of beta")
    expect(log).to_contain_text("candle 2 <img src=x onerror=document.title=1>")
    pages.keep(page, "deployment")

    page.get_by_role("button", name="Kill beta").click()
    page.get_by_role("dialog").get_by_role("button", name="Kill").click()
    expect(page.locator(".head")).to_contain_text("stopped")
    expect(page.get_by_role("table", name="Events of this deployment")).to_contain_text("stopped")
    assert ("stopped", None) == (world.daemon.row("beta")["state"], world.daemon.row("beta")["pid"])


def test_a_death_is_shown_with_its_stack_and_its_words_stay_words(pages, world):
    pages.expected = "status of 404"  # of what was removed
    world.daemon.start("gamma", "crasher", wait=False)
    every_day = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00", "end": "24:00"}
    always = {"zone": "UTC", "windows": [every_day]}
    assert world.daemon.http.put("/deployments/gamma/schedule", json=always).status_code == HTTPStatus.OK
    page = pages.open("/deployments/gamma")
    expect(page.locator(".head")).to_contain_text("quarantined")
    expect(page.get_by_role("region", name="Now")).to_contain_text("daily 00:00-24:00 UTC, outside: stop")
    first = page.locator("details.death").first
    first.locator("summary").click()
    expect(first).to_contain_text("<script>document.title = 'hacked'</script>")
    pages.keep(page, "death")
    expect(page).to_have_title("gamma · stratd")
    page.get_by_role("button", name="Reset gamma").click()
    page.get_by_role("button", name="Remove gamma").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("link", name="All deployments")).to_be_visible()
    assert "gamma" not in world.daemon.rows()


def test_all_of_it_goes_by_keyboard_alone(pages, world, started):
    started("delta", "idle")
    page = pages.open("/")
    expect(row(page, "delta")).to_contain_text("running")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    pause = page.get_by_role("button", name="Pause delta")
    for _ in range(30):
        page.keyboard.press("Tab")
        if pause.evaluate("element => element === document.activeElement"):
            break
    expect(pause).to_be_focused()
    page.keyboard.press("Enter")
    reason = page.get_by_role("dialog").get_by_label("Reason (optional)")
    expect(reason).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(pause).to_be_focused()
    page.keyboard.press("Enter")
    expect(reason).to_be_focused()
    page.keyboard.type("by hand")
    page.keyboard.press("Enter")
    expect(row(page, "delta")).to_contain_text("paused")
    assert "by hand" == world.daemon.row("delta")["reason"]


def test_killing_an_account_asks_for_its_name_and_rearming_takes_it_back(pages, world, started):
    started("epsilon", "trader")
    page = pages.open("/accounts")
    kill = page.get_by_role("button", name="Kill the account default")
    kill.click()
    dialog = page.get_by_role("dialog", name="Kill the account default?")
    dialog.get_by_label("Reason").fill("a drill")
    dialog.get_by_label(re.compile("To confirm")).fill("defualt")
    dialog.get_by_role("button", name="Kill").click()
    expect(dialog).to_be_visible()  # that was not its name
    dialog.get_by_label(re.compile("To confirm")).fill("default")
    dialog.get_by_role("button", name="Kill").click()
    table = page.get_by_role("table", name="Accounts")
    expect(table).to_contain_text("by an operator: a drill")
    pages.keep(page, "accounts")
    latch = world.daemon.get("accounts/default")["latch"]
    assert ("operator", True) == (latch["by"], latch["reason"].startswith("a drill"))
    page.get_by_role("button", name="Rearm the account default").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("over")
    page.get_by_role("dialog").get_by_role("button", name="Rearm").click()
    expect(table).not_to_contain_text("a drill")
    assert world.daemon.get("accounts/default")["latch"] is None


def test_a_lost_connection_is_said_and_what_happened_meanwhile_comes_after(pages, world, started):
    started("zeta", "idle")
    pages.expected = "Failed to load resource|ERR_"  # the browser's own words on a cut cable
    page = pages.open("/")
    expect(page.locator("#link")).to_have_text("Live")
    expect(row(page, "zeta")).to_contain_text("running")
    world.front.cut()
    outage = page.get_by_role("alert").filter(has_text="No connection to the daemon. What you see is from")
    expect(outage).to_be_visible()
    expect(page.locator("body")).to_have_class("stale")
    pages.keep(page, "offline")
    world.daemon.act("pause", "zeta", reason="unseen")
    world.front.mend()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#link")).to_have_text("Live")
    expect(page.locator("#outage")).to_be_hidden()
    expect(row(page, "zeta")).to_contain_text("unseen")
    page.get_by_role("link", name="Events").click()
    expect(
        page.get_by_role("table", name="Events").get_by_role("row").filter(has_text="unseen").first
    ).to_be_visible()


SOURCE = """
from strategies import IStrategy


class Mine(IStrategy):
    def initialize(self, config):
        print("<b>ready</b>")

    def on_candle_complete(self, timeframe, candle, data):
        return None
"""


def test_pasted_code_is_checked_step_by_step_and_registered(pages, world):
    pages.expected = "status of 422"  # the browser's own words on the first attempt
    page = pages.open("/register")
    page.get_by_label("Name").fill("mine")
    page.get_by_label("Instruments").fill("EURUSD")
    page.get_by_label("Timeframe").fill("1m")
    page.get_by_label("Code").fill("class Mine(:\n")
    page.get_by_role("button", name="Only check").click()
    result = page.get_by_role("region", name="Result of the check")
    expect(result.get_by_role("listitem").filter(has_text="line 1")).to_be_visible()
    expect(result.get_by_role("img", name="failed")).to_be_visible()

    page.get_by_label("Code").fill(SOURCE)
    page.get_by_role("button", name="Check and register").click()
    expect(result).to_contain_text("mine is registered.")
    assert 3 < result.get_by_role("img", name="passed").count()
    pages.keep(page, "registered")
    result.get_by_role("link", name=re.compile("Start mine")).click()
    expect(page.get_by_role("heading", name=re.compile("Start mine"))).to_be_visible()
    expect(page.get_by_label("Symbols")).to_be_visible()
    assert "mine" in [one["name"] for one in world.daemon.get("catalogue")]


def test_a_chosen_file_is_put_into_the_form(pages, tmp_path):
    file = tmp_path / "dropped.py"
    file.write_text(SOURCE)
    page = pages.open("/register")
    page.get_by_label("Choose a file").set_input_files(file)
    expect(page.get_by_label("Code")).to_have_value(SOURCE)
    expect(page.get_by_label("Name")).to_have_value("dropped")


def test_what_waits_for_approval_is_answered_with_two_buttons(pages, started):
    started("asks", "asker", risk={"approval": "manual", "approval_timeout": 3600.0})
    page = pages.open("/")
    waiting = page.get_by_role("region", name="Waiting for approval").get_by_role("row")
    expect(waiting).to_have_count(3)  # its head, and two
    expect(waiting.nth(1)).to_contain_text("enter long 1 EURUSD")
    pages.keep(page, "approvals")
    waiting.nth(1).get_by_role("button", name=re.compile("^Approve")).click()
    dialog = page.get_by_role("dialog", name="Approve enter long 1 EURUSD?")
    dialog.get_by_label("Reason (optional)").fill("by phone")
    dialog.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Approved: enter long 1 EURUSD, then accepted")).to_be_visible()
    expect(waiting).to_have_count(2)
    waiting.nth(1).get_by_role("button", name=re.compile("^Reject")).click()
    page.get_by_role("dialog").get_by_role("button", name="Reject", exact=True).click()
    expect(page.get_by_text("Rejected: enter long 1 EURUSD")).to_be_visible()
    expect(page.get_by_role("region", name="Waiting for approval")).to_have_count(0)


def test_a_strategy_is_asked_for_its_own_words_which_stay_words(pages, started):
    started("shows", "trader")
    page = pages.open("/deployments/shows")
    own = page.get_by_role("region", name="In its own words")
    own.get_by_role("button", name="Ask it").click()
    expect(own).to_contain_text("<img src=x onerror=document.title=1>")
    expect(own).to_contain_text("[1.5,null]")
    expect(page).not_to_have_title("1")
    pages.keep(page, "inspected")
