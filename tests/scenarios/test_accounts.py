"""Latches, listings and the instruments file, on a daemon as a process of its own with real fills."""

from __future__ import annotations

import os
import pwd
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from tests.scenarios.holding import BUYS, hold, pump, rows
from tests.scenarios.rig import Daemon, Feed, Site

pytestmark = pytest.mark.system


@pytest.fixture
def holding(new_site) -> Iterator[tuple[Daemon, Feed]]:
    with hold(new_site().with_feed()) as one:
        yield one


@pytest.fixture(scope="module")
def holder() -> Iterator[Daemon]:
    """One that holds something, for tests that leave it as it was."""
    site = Site()
    try:
        with hold(site.with_feed()) as (daemon, _):
            yield daemon
    finally:
        site.remove()


def latch(daemon: Daemon) -> dict[str, Any] | None:
    daemon.until(lambda: daemon.http.get("/accounts").status_code == 200, "the engine to tell of accounts")
    return daemon.get("accounts/default")["latch"]


def test_positions_orders_and_trades_after_a_real_fill(holder):
    daemon = holder
    (held,) = daemon.site.stratd("positions", "holder", "--json").json
    assert (1.0, 100.0, "default") == (held["quantity"], held["average_price"], held["account"])
    assert 98.0 == held["guard"]["stop"]
    (trade,) = daemon.site.stratd("trades", "--account", "default", "--json").json
    assert (1.0, 100.0, "signal", None) == tuple(trade[k] for k in ("quantity", "price", "role", "profit"))
    assert [] == daemon.site.stratd("orders", "--json").json
    (order,) = daemon.site.stratd("orders", "--all", "--json").json
    assert ("filled", 1.0, trade["order_id"]) == (order["status"], order["filled"], order["order_id"])
    assert "guarded by stop 98" in daemon.site.stratd("describe", "holder").out


def test_a_latch_outlives_the_engine_and_is_set_once_and_taken_back_once(holder):
    daemon = holder
    stratd = daemon.site.stratd
    assert (0, "default: paused\n") == stratd("account", "pause", "default", "--reason", "news")[:2]
    before = daemon.part("engine")
    before.kill()
    daemon.until(lambda: not before.alive, "the engine gone")
    daemon.part("engine")
    daemon.until(lambda: latch(daemon) is not None, "the latch in the new engine's picture")
    barred = latch(daemon)
    assert ("pause", "operator") == (barred["kind"], barred["by"])
    who = pwd.getpwuid(os.geteuid()).pw_name
    assert f"news ({who})" == barred["reason"]
    done = stratd("account", "pause", "default")
    assert (0, f"default: already barred (pause, by operator: news ({who}))\n") == done[:2]
    assert "account default: pause (operator)" in stratd("status").out
    assert (0, "default: rearmed\n") == stratd("account", "rearm", "default")[:2]
    assert (0, "default: nothing bars it\n") == stratd("account", "rearm", "default")[:2]
    daemon.until(lambda: latch(daemon) is None, "nothing that bars it")


def test_an_account_that_nobody_has_is_4(holder):
    daemon = holder
    for verb in ("pause", "kill", "rearm", "show"):
        done = daemon.site.stratd("account", verb, "defalt")
        assert (4, "") == done[:2]
        assert "did you mean 'default'" in done.err


def test_the_id_of_one_that_was_removed_gives_nobody_what_it_holds(holding):
    daemon, _ = holding
    stratd = daemon.site.stratd
    strategy = daemon.get("deployments/holder")["strategy"]
    assert stratd("stop", "holder").code == 0
    assert stratd("remove", "holder").code == 0
    made = ("start", "holder", "--strategy", strategy, "--symbol", "EURUSD", "--timeframe", "1s", "--trust")
    refused = stratd(*made, "--account", "another")
    assert (5, "") == refused[:2]
    assert "refused by held_otherwise: an earlier deployment holder has positions" in refused.err
    assert stratd(*made, "--account", "default").code == 0
    kinds = [event["kind"] for event in daemon.get("deployments/holder/events")]
    assert "created" in kinds
    assert "removed" not in kinds


def test_a_damaged_journal_refuses_to_answer(holding):
    daemon, _ = holding
    daemon.get("trades")
    with sqlite3.connect(daemon.site.state / "journal.db") as journal:
        journal.execute("DROP TABLE fills")
        journal.execute("DROP TABLE orders")
    journal.close()
    for verb in ("trades", "orders"):
        done = daemon.site.stratd(verb, "--json")
        assert (1, "") == done[:2]
        assert "the journal cannot be read" in done.err
        assert 503 == daemon.http.get(f"/{verb}").status_code


def test_an_engine_that_is_gone_refuses_to_answer(holder):
    daemon = holder
    seen: list[int] = []

    def look() -> bool:
        if 503 not in seen:  # on a busy host the next engine may be there before anybody asked
            daemon.part("engine").kill()
        answers = [daemon.http.get(f"/{route}") for route in ("positions", "accounts")]
        seen.extend(answer.status_code for answer in answers)
        assert all(answer.status_code == 503 or answer.json() for answer in answers), "never an empty list"
        return 503 in seen and seen[-2:] == [200, 200]

    daemon.until(look, "a refusal, and then an answer")


INSTRUMENT = """
["EURUSD"]
currency = "{currency}"
tick_size = 0.00001
"""


def test_the_instruments_file_is_read_again_when_it_changes_and_a_slip_changes_nothing(new_site):
    site = new_site().with_feed()
    site.strategy("holder", BUYS)
    file = site.base / "instruments.toml"
    file.write_text(INSTRUMENT.format(currency="USD"))
    site.settings["instruments"] = {"file": str(file)}
    daemon = site.daemon()
    file.write_text('["EURUSD"\ncurrency =')

    def problems() -> list[str]:
        return [one for one in daemon.get("status")["problems"] if "instruments" in one]

    daemon.until(problems, "the slip to be told of")
    assert str(file) in problems()[0]
    daemon.start("holder")
    with site.feed() as feed:
        feed.wait_for_engine()
        pump(daemon, feed, 100.0, lambda: rows(daemon, "positions") != [])
        assert "USD" == rows(daemon, "positions")[0]["currency"], "as it stood before the slip"
    file.write_text(INSTRUMENT.format(currency="USD"))
    daemon.until(lambda: not problems(), "the file to be good again")


def test_live_is_refused_until_all_three_say_so_and_paper_where_the_money_is_real(new_site):
    route = {"kind": "http", "url": "http://127.0.0.1:9/", "key": "secret"}
    one = new_site(
        live={"enabled": True},
        accounts={"fund": {"live": True, "route": "gateway"}},
        routes={"gateway": route},
    )
    daemon = one.daemon()
    start = ("start", "money", "--strategy", "idle", "--account", "fund")
    for more, rule in ((("--mode", "live"), "live_unconfirmed"), ((), "paper_on_live_account")):
        done = one.stratd(*start, *more)
        assert (5, "") == done[:2]
        assert rule in done.err
    done = one.stratd("start", "play", "--strategy", "idle", "--mode", "live", "--yes")
    assert (5, True) == (done.code, "account_not_live" in done.err)
    assert 0 == one.stratd("start", "play", "--strategy", "idle").code
    promote = ("start", "play", "--account", "fund", "--mode", "live", "--yes")
    assert "not_stopped" in one.stratd(*promote).err
    assert 0 == one.stratd("stop", "play").code
    assert 0 == one.stratd(*promote).code
    assert "live" == daemon.get("deployments/play")["mode"]


def test_what_holds_on_paper_is_not_promoted(holding):
    daemon, _ = holding
    daemon.act("stop", "holder", wait=True)
    done = daemon.site.stratd("start", "holder", "--mode", "live", "--yes")
    assert (5, "") == done[:2]
    assert "held_otherwise" in done.err
