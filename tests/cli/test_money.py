"""``account``, ``positions``, ``orders``, ``trades``, ``start --mode live`` against a served fake daemon."""

from __future__ import annotations

import sys

import pytest

from supervisor.errors import Unavailable
from supervisor.schema import GuardView, OrderRow, PositionRow, TradeRow
from tests.supervisor.fake_daemon import AT
from tests.supervisor.fake_money import latch

HELD = PositionRow(
    deployment_id="eurusd",
    account="default",
    symbol="EURUSD",
    quantity=2.0,
    average_price=1.1,
    unrealised=None,
    realised=-3.5,
    fifo_realised=-3.0,
    fees=0.25,
    currency="USD",
    guard=GuardView(stop=1.05, target=1.2),
)
WAITS = OrderRow(
    order_id="o1",
    deployment_id="eurusd",
    account="default",
    symbol="EURUSD",
    quantity=-2.0,
    filled=-0.5,
    kind="limit",
    limit_price=1.2,
    time_in_force="gtc",
    role="signal",
    route="paper",
    status="waiting",
    accepted_at=AT,
)
TRADED = TradeRow(
    seq=7,
    at=AT,
    deployment_id="eurusd",
    account="default",
    symbol="EURUSD",
    quantity=-2.0,
    price=1.2,
    fee=0.25,
    currency="USD",
    role="stop_loss",
    order_id="o1",
    profit=-3.5,
)


def test_an_account_is_paused_killed_and_rearmed_by_whoever_asks(served, daemon, stratd):
    assert "default: paused\n" == stratd("account pause default --reason news").out
    done = stratd("account pause default")
    assert (0, "default: already barred (pause, by operator: news)\n") == (done.code, done.out)
    assert "default: rearmed\n" == stratd("account rearm default").out
    assert "default: nothing bars it\n" == stratd("account rearm default").out
    assert "default: locked; what it holds is being closed\n" == stratd("account kill default").out
    names = [call[:3] for call in daemon.calls]
    assert [("pause", "default", "news"), ("pause", "default", "")] == names[:2]
    assert all(call[3] not in ("", "somebody") for call in daemon.calls), "the operator is named"


def test_a_deployment_is_rearmed_by_its_id(served, daemon, stratd):
    assert "eurusd: nothing bars it\n" == stratd("rearm eurusd").out
    assert ("rearm deployment", "eurusd") == daemon.calls[0][:2]


@pytest.mark.parametrize("verb", ["show", "pause", "kill", "rearm"])
def test_an_account_that_there_is_not_is_4_with_the_name_that_was_meant(served, stratd, verb):
    done = stratd(f"account {verb} defalt")
    assert (4, "") == (done.code, done.out)
    assert "no account 'defalt'; did you mean 'default'?" in done.err.replace(", did", "; did")


@pytest.mark.parametrize(
    "command", ["account list", "account show default", "positions", "orders", "trades", "positions --json"]
)
def test_what_cannot_be_read_is_an_error_and_never_an_empty_list(served, daemon, stratd, command):
    daemon.fail = Unavailable("the journal cannot be read: file is not a database")
    done = stratd(command)
    assert (1, "") == (done.code, done.out)
    assert "the journal cannot be read: file is not a database" in done.err


def test_nothing_is_said_in_words_and_as_an_empty_array(served, stratd):
    assert "no positions: nothing was ever filled" in stratd("positions").out
    for verb in ("positions", "orders", "trades"):
        assert [] == stratd(f"{verb} --json").json


def test_unknown_money_is_a_question_mark_and_null(served, daemon, stratd):
    daemon.held = [HELD]
    head, row = stratd("positions").out.splitlines()
    assert ["eurusd", "EURUSD", "2", "1.1", "?", "-3.50"] == row.split()[:6]
    assert "stop 1.05, target 1.2" in row
    assert head.split()[:5] == ["ID", "SYMBOL", "QUANTITY", "AVERAGE", "UNREALISED"]
    assert stratd("positions --json").json[0]["unrealised"] is None
    assert "?" in stratd("account list").out.splitlines()[1]
    assert "equity" in (shown := stratd("account show default").out)
    assert "?" in next(line for line in shown.splitlines() if line.startswith("equity"))


def test_orders_and_trades_are_listed_with_who_asked_for_them(served, daemon, stratd):
    daemon.placed, daemon.executed = [WAITS], [TRADED]
    row = stratd("orders").out.splitlines()[1].split()
    assert ["eurusd", "EURUSD", "waiting", "-2", "-0.5", "limit", "1.2"] == row[:7]
    traded = stratd("trades").out.splitlines()[1]
    assert "stop_loss" in traded
    assert "-3.50" in traded


def test_the_listings_pass_on_whose_they_are(served, daemon, stratd):
    stratd("positions eurusd")
    stratd("orders --account default --all -n 5")
    stratd("trades --account default")
    assert [
        ("positions", "eurusd", None),
        ("orders", None, "default", True, 5),
        ("trades", None, "default", None, 100),
    ] == daemon.calls


def test_ps_has_a_column_for_what_bars_only_where_anything_does(served, daemon, stratd):
    assert "LATCH" not in stratd("ps").out
    row = daemon.rows["gold"]
    barred = latch("gold", "exit_only", scope="deployment")
    daemon.rows["gold"] = row.model_copy(update={"latch": barred, "equity": 99.5})
    head, *lines = stratd("ps").out.splitlines()
    assert head.split()[:3] == ["ID", "STATE", "LATCH"]
    gold = next(line for line in lines if line.startswith("gold"))
    assert "exit_only (operator)" in gold
    assert "99.50" in gold
    assert "exit_only (operator): drill" in stratd("describe gold").out
    assert stratd("ps --json").json[0]["latch"] is None


def live_calls(daemon) -> list[bool]:
    return [call[1].confirm_live for call in daemon.calls if call[0] == "start"]


def test_a_live_start_in_a_script_says_yes_or_is_refused(served, daemon, stratd):
    daemon.max_concurrent = 10
    done = stratd("start money --strategy crossover --mode live")
    assert (5, "") == (done.code, done.out)
    assert "live_unconfirmed" in done.err
    assert 0 == stratd("start money --strategy crossover --mode live --yes").code
    assert [False, True] == live_calls(daemon)


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize("typed", ["money", "yes", ""])
def test_a_live_start_on_a_terminal_has_the_id_typed(daemon, stratd, monkeypatch, typed):
    daemon.max_concurrent = 10
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", lambda *_, **__: typed)
    done = stratd("start money --strategy crossover --mode live")
    confirmed = typed == "money"
    assert (0 if confirmed else 5) == done.code, done.err
    assert ([False, True] if confirmed else [False]) == live_calls(daemon)
    assert confirmed == ("money" in daemon.rows)
