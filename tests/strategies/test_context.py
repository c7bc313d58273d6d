"""What a strategy may ask its context, and what it is told when it may not."""

from __future__ import annotations

import math

import pytest

from bus.messages import Position
from strategies import NotConfigured, StrategyError
from strategies.indicators import SMA
from strategies.outputs import LogLine, bounded
from tests.strategies.market import T0, Quiet, candle, closed, running


def context(**options):
    return running(Quiet(), **options).ctx


@pytest.mark.parametrize("service", ["features", "analysis"])
def test_a_service_that_is_not_there_says_so_by_name(service):
    with pytest.raises(NotConfigured, match=f"ctx.{service} is not configured for this deployment"):
        getattr(context(), service).get("rsi", symbol="A")


def test_the_account_adds_up_the_positions_and_unknown_is_not_zero():
    host = running(Quiet())
    books = host.ctx._books
    assert host.ctx.account.unrealised == 0
    books.positions["A"] = Position("d1", "A", 2.0, 10.0, realised=5.0, unrealised=3.0, fees=1.0)
    books.positions["B"] = Position("d1", "B", 0.0, 0.0, realised=-2.0, unrealised=None, fees=0.5)
    account = host.ctx.account
    assert (account.realised, account.unrealised, account.fees) == (3.0, 3.0, 1.5)
    assert (account.equity, account.free) == (None, None)
    books.positions["B"] = Position("d1", "B", 1.0, 4.0, unrealised=None)
    assert host.ctx.account.unrealised is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.schedule("x"), "say at=nanoseconds or every=seconds"),
        (lambda c: c.schedule("", every=1), "a name of 1 to 64 characters"),
        (lambda c: c.schedule("x", every=0), "every=0 is not between 1 s and 366 days"),
        (lambda c: c.schedule("x", every=math.nan), "every=nan is not between"),
        (lambda c: c.schedule("x", at=1.5), "at=1.5 is not a time in nanoseconds"),
        (lambda c: c.schedule("x", at=-1), "at=-1 is not a time"),
        (lambda c: c.record("x", math.nan), "a finite number"),
        (lambda c: c.record("x" * 65, 1), "a name of 1 to 64 characters"),
        (lambda c: c.request_time(0.5), "at least 1 and at most 86,400 seconds"),
        (lambda c: c.indicator("SNA", "1m", 3), "indicator 'SNA' is unknown; did you mean 'SMA'"),
        (lambda c: c.indicator("SMA", "7m", 3), "timeframe '7m' is not subscribed"),
    ],
)
def test_a_wrong_request_is_refused_with_what_is_allowed(call, message):
    updates = []
    with pytest.raises(StrategyError, match=message):
        call(context(update=updates.append))
    assert updates == []


def test_a_timer_at_a_time_needs_no_period():
    updates = []
    context(update=updates.append).schedule("close", at=T0 + 5)
    assert (updates[0].name, updates[0].at, updates[0].every) == ("close", T0 + 5, 0)


def test_every_level_of_the_log_comes_out_and_a_long_line_is_cut():
    updates = []
    log = context(update=updates.append).log
    for level in ("debug", "info", "warning", "error"):
        getattr(log, level)("%s", level)
    log.info("100%")
    log.info("x" * 20_000)
    assert [u.level for u in updates] == ["debug", "info", "warning", "error", "info", "info"]
    assert updates[4] == LogLine("info", "100%", T0)
    assert len(updates[5].text) <= 8192


def test_an_indicator_has_seen_history_and_is_fed_before_the_callback():
    class Follower(Quiet):
        def on_start(self, ctx, recovered):
            self.sma = ctx.indicator("SMA", "1m", 3)

        def on_candle_complete(self, timeframe, candle, data):
            self.seen = self.sma.value

    past = tuple(candle(n, close=float(n)) for n in range(1, 4))
    host = running(Follower(), warmup=past)
    assert (type(host.strategy.sma), host.strategy.sma.value) == (SMA, 2.0)
    host.handle(closed(candle(4, close=10.0)))
    assert host.strategy.seen == pytest.approx(5.0)


def test_an_indicator_of_another_symbol_or_timeframe_is_not_fed():
    host = running(Quiet())
    b, five = host.ctx.indicator("SMA", "1m", 1, symbol="B"), host.ctx.indicator("SMA", "5m", 1)
    host.handle(closed(candle(0, close=3.0)))
    assert not b.is_warm
    assert not five.is_warm


def test_chance_is_seeded():
    assert context(seed=5).rng.random() == context(seed=5).rng.random()
    assert context(seed=5).rng.random() != context(seed=6).rng.random()


def test_a_bounded_text_keeps_both_ends_and_says_how_much_is_gone():
    text = bounded("a" * 500 + "b" * 500, 200)
    assert len(text) <= 200
    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert "840 characters cut" in text
    assert bounded("short", 200) == "short"
