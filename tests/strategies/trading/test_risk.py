import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strategies.trading.figures import Figures
from strategies.trading.limits import Limits
from strategies.trading.risk import Breach, assess, barred, cooling, locked, new_day, peak, rearmed
from strategies.trading.rules import RULES, Refusal
from strategies.trading.ttl import SECOND

NOTHING = Figures(scope="account", name="A")
TODAY = replace(NOTHING, day="2", start_equity=1000.0, peak_equity=1200.0)
UNKNOWN = [None, math.nan, math.inf, -math.inf]
NOW = 1_700_000_000 * SECOND


# ---- what a look at equity does to the figures ----------------------------------------------------
def test_the_first_look_of_a_day_is_what_it_begins_with():
    before = replace(TODAY, orders=7, locked_profit=True)
    assert new_day(before, "3", 1100.0) == replace(TODAY, day="3", start_equity=1100.0)


def test_a_day_that_begins_on_a_new_peak_raises_it():
    assert new_day(TODAY, "3", 1300.0) == replace(TODAY, day="3", start_equity=1300.0, peak_equity=1300.0)


@pytest.mark.parametrize("equity", UNKNOWN)
def test_a_day_that_begins_unknown_is_unknown_until_it_is_not(equity):
    begun = new_day(TODAY, "3", equity)
    assert begun == replace(TODAY, day="3", start_equity=None)
    assert peak(begun, 1150.0) == replace(TODAY, day="3", start_equity=1150.0)


def test_a_day_that_goes_on_keeps_what_it_began_with():
    assert new_day(TODAY, "2", 1100.0) is TODAY


def test_a_peak_only_rises():
    assert peak(TODAY, 1199.0) is TODAY
    assert peak(TODAY, 1200.0) is TODAY
    assert peak(TODAY, 1201.0) == replace(TODAY, peak_equity=1201.0)


def test_the_first_equity_of_all_is_both():
    assert peak(NOTHING, -5.0) == replace(NOTHING, start_equity=-5.0, peak_equity=-5.0)


@pytest.mark.parametrize("equity", UNKNOWN)
def test_an_unknown_equity_is_no_peak(equity):
    assert peak(TODAY, equity) is TODAY


@given(st.lists(st.none() | st.floats(-1e9, 1e9) | st.just(math.nan)), st.randoms())
def test_the_peak_is_the_highest_whatever_the_order(equities, random):
    figures = NOTHING
    for equity in equities:
        figures = peak(figures, equity)
    known = [equity for equity in equities if equity is not None and math.isfinite(equity)]
    assert figures.peak_equity == max(known, default=None)
    assert figures.start_equity == (known[0] if known else None)
    random.shuffle(equities)
    for equity in equities:
        assert peak(figures, equity) is figures  # seen again, nothing changes


# ---- breaches -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("limits", "equity", "rule"),
    [
        ({"max_daily_loss": 50.0}, 950.0, None),
        ({"max_daily_loss": 50.0}, 949.99, "max_daily_loss"),
        ({"max_daily_loss": 0.0}, 1000.0, None),
        ({"max_daily_loss": 0.0}, 999.99, "max_daily_loss"),
        ({"max_daily_loss_percentage": 5.0}, 950.0, None),
        ({"max_daily_loss_percentage": 5.0}, 949.99, "max_daily_loss"),
        ({"max_drawdown": 25.0}, 900.0, None),  # of the peak of 1,200
        ({"max_drawdown": 25.0}, 899.99, "max_drawdown"),
        ({"max_daily_loss": 50.0, "max_drawdown": 25.0}, 800.0, "max_daily_loss"),
        ({"max_daily_loss": 500.0, "max_daily_loss_percentage": 5.0}, 949.0, "max_daily_loss"),
        ({"daily_profit_lock": 1.0}, 1.0, None),
        ({}, -1e9, None),
    ],
)
def test_a_limit_is_passed_beyond_it_and_not_at_it(limits, equity, rule):
    breach = assess(Limits(**limits), TODAY, equity)
    assert (None if breach is None else breach.rule) == rule


@pytest.mark.parametrize("kind", ["pause", "exit_only", "flatten", "lock"])
def test_a_breach_says_which_latch_follows(kind):
    limits = Limits(max_daily_loss=50.0, max_drawdown=10.0, on_breach=kind)
    assert assess(limits, TODAY, 940.0) == Breach("max_daily_loss", "lost 60 today, at most 50", kind)
    mild = replace(limits, max_daily_loss=None)
    assert assess(mild, TODAY, 940.0) == Breach(
        "max_drawdown", "260 below the peak of 1200, at most 10 %", kind
    )


def test_a_loss_in_percent_says_of_what():
    breach = assess(Limits(max_daily_loss_percentage=5.0), TODAY, 900.0)
    assert breach.detail == "lost 100 today of 1000, at most 5 %"


def test_rounding_alone_is_no_breach():
    """Sums of doubles: a loss of exactly the limit may come out a little more."""
    assert 1.1 - 0.9 > 0.2
    exact = replace(TODAY, start_equity=1.1, peak_equity=1.1)
    assert assess(Limits(max_daily_loss=0.2), exact, 0.9) is None
    huge = replace(TODAY, start_equity=1e9, peak_equity=1e9)
    assert assess(Limits(max_daily_loss=100.0, max_drawdown=1e-5), huge, 1e9 - 100.5) is None
    assert assess(Limits(max_daily_loss=100.0), huge, 1e9 - 102.0).rule == "max_daily_loss"
    assert assess(Limits(max_drawdown=1e-5), huge, 1e9 - 102.0).rule == "max_drawdown"


@pytest.mark.parametrize("equity", UNKNOWN)
def test_an_unknown_equity_is_no_breach_and_bars_entries(equity):
    limits = Limits(max_daily_loss=0.0, max_drawdown=1.0)
    assert assess(limits, TODAY, equity) is None
    assert barred(limits, TODAY, equity).rule == "equity_unknown"


@pytest.mark.parametrize("name", ["start_equity", "peak_equity"])
@pytest.mark.parametrize("value", UNKNOWN)
def test_figures_that_are_unknown_are_no_breach_and_bar_entries(name, value):
    limits = Limits(max_daily_loss=1.0) if name == "start_equity" else Limits(max_drawdown=1.0)
    figures = replace(TODAY, **{name: value})
    assert assess(limits, figures, -1e9) is None
    assert barred(limits, figures, 1200.0) == Refusal(
        "equity_unknown", "the equity that the day began with is unknown"
    )


def test_no_figures_are_unknown_ones():
    assert assess(Limits(max_daily_loss=1.0), None, 1.0) is None
    assert barred(Limits(max_daily_loss=1.0), None, 1.0) == Refusal(
        "equity_unknown", "equity is unknown, so loss and drawdown cannot be judged"
    )


def test_without_a_limit_on_profit_nothing_has_to_be_known():
    assert barred(Limits(max_notional=1.0, cooldown_after_loss=1), None, None) is None


def test_what_is_a_breach_bars_entries_by_the_same_rule():
    assert barred(Limits(max_daily_loss=50.0), TODAY, 940.0) == Refusal(
        "max_daily_loss", "lost 60 today, at most 50"
    )
    assert barred(Limits(max_drawdown=10.0), TODAY, 940.0) == Refusal(
        "max_drawdown", "260 below the peak of 1200, at most 10 %"
    )
    assert barred(Limits(max_daily_loss=50.0), TODAY, 950.0) is None


def test_who_has_nothing_left_has_lost_every_percentage():
    for start in (0.0, -10.0):
        broke = replace(TODAY, start_equity=start, peak_equity=start)
        assert assess(Limits(max_daily_loss_percentage=100.0), broke, -11.0).rule == "max_daily_loss"
        assert assess(Limits(max_drawdown=100.0), broke, -11.0).rule == "max_drawdown"


# ---- the day's profit -----------------------------------------------------------------------------
def test_a_profit_is_locked_when_it_is_reached_and_stays_so_for_the_day():
    limits = Limits(daily_profit_lock=100.0)
    assert locked(limits, TODAY, 1099.99) is TODAY
    kept = locked(limits, TODAY, 1100.0)
    assert kept == replace(TODAY, locked_profit=True)
    assert locked(limits, kept, 0.0) is kept
    assert barred(limits, kept, 1000.0) == Refusal(
        "daily_profit_lock", "the day's profit reached 100 and is kept"
    )
    assert barred(limits, new_day(kept, "3", 1000.0), 1000.0) is None


def test_a_profit_that_is_reached_bars_entries_before_it_is_written_down():
    assert barred(Limits(daily_profit_lock=100.0), TODAY, 1100.0).rule == "daily_profit_lock"
    assert barred(Limits(daily_profit_lock=100.0), TODAY, 1099.0) is None


@pytest.mark.parametrize("equity", UNKNOWN)
def test_an_unknown_profit_is_not_locked(equity):
    assert locked(Limits(daily_profit_lock=1.0), TODAY, equity) is TODAY


def test_nothing_is_locked_without_a_limit_or_a_beginning():
    assert locked(Limits(), TODAY, 1e9) is TODAY
    unknown = replace(TODAY, start_equity=None)
    assert locked(Limits(daily_profit_lock=1.0), unknown, 1e9) is unknown


# ---- rearmed --------------------------------------------------------------------------------------
def test_once_rearmed_loss_and_drawdown_count_from_there():
    limits = Limits(max_daily_loss=50.0, max_drawdown=10.0, cooldown_after_loss=2, cooldown_after_loss_s=60.0)
    figures = replace(TODAY, losses=2, last_loss_at=NOW, orders=9)
    anew = rearmed(figures, 900.0)
    assert anew == replace(figures, start_equity=900.0, peak_equity=900.0, losses=0)
    assert assess(limits, anew, 860.0) is None
    assert assess(limits, anew, 849.0).rule == "max_daily_loss"


@pytest.mark.parametrize("equity", UNKNOWN)
def test_what_is_unknown_when_it_is_rearmed_is_the_next_look(equity):
    anew = rearmed(TODAY, equity)
    assert anew == replace(TODAY, start_equity=None, peak_equity=None)
    assert peak(anew, 900.0) == replace(TODAY, start_equity=900.0, peak_equity=900.0)


# ---- cooling --------------------------------------------------------------------------------------
COOLDOWN = Limits(cooldown_after_loss=3, cooldown_after_loss_s=60.0)
STOPPED = Limits(cooling_off_after_stop=60.0)


@pytest.mark.parametrize(
    ("losses", "ago", "detail"),
    [
        (2, 0, None),
        (3, 0, "3 losses in a row: 60 s left"),
        (4, 20, "4 losses in a row: 40 s left"),
        (3, 59.9, "3 losses in a row: 0 s left"),
        (3, 60, None),
        (3, 61, None),
        (3, -30, "3 losses in a row: 90 s left"),  # another feed's clock is behind
    ],
)
def test_a_run_of_losses_bars_entries_for_a_while(losses, ago, detail):
    figures = replace(TODAY, losses=losses, last_loss_at=NOW - round(ago * SECOND))
    pause = cooling(COOLDOWN, figures, NOW)
    assert (None if pause is None else pause.detail) == detail
    assert pause is None or pause.rule == "cooldown_after_loss"


@pytest.mark.parametrize(
    ("ago", "detail"),
    [(0, "a stop ended a position: 60 s left"), (59.9, "a stop ended a position: 0 s left"), (60, None)],
)
def test_a_stop_bars_entries_for_a_while(ago, detail):
    pause = cooling(STOPPED, replace(TODAY, last_stop_at=NOW - round(ago * SECOND)), NOW)
    assert (None if pause is None else (pause.rule, pause.detail)) == (
        None if detail is None else ("cooling_off_after_stop", detail)
    )


def test_where_nothing_was_stopped_nothing_cools_off():
    assert cooling(STOPPED, replace(TODAY, losses=99, last_loss_at=NOW), 30 * SECOND) is None
    assert cooling(STOPPED, replace(TODAY, last_stop_at=0), 30 * SECOND) is None


def test_one_pause_that_is_over_does_not_end_the_other():
    both = replace(COOLDOWN, cooling_off_after_stop=600.0)
    figures = replace(TODAY, losses=3, last_loss_at=NOW - 60 * SECOND, last_stop_at=NOW - 60 * SECOND)
    assert cooling(both, figures, NOW).rule == "cooling_off_after_stop"


def test_without_figures_it_is_not_known_whether_there_is_a_pause():
    for limits in (COOLDOWN, STOPPED):
        assert cooling(limits, None, NOW) == Refusal("figures_unknown", "the run of losses is unknown")
    assert cooling(Limits(), None, NOW) is None


# ---- for all figures ------------------------------------------------------------------------------
MONEY = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(-2000, 2000)
LIMITS = st.builds(
    Limits,
    max_daily_loss=st.none() | st.floats(0, 500),
    max_daily_loss_percentage=st.none() | st.floats(1, 100),
    max_drawdown=st.none() | st.floats(1, 100),
    daily_profit_lock=st.none() | st.floats(1, 500),
)


@given(LIMITS, MONEY, MONEY, MONEY)
def test_no_entry_is_let_through_beyond_a_limit_or_on_what_is_not_known(limits, start, highest, equity):
    figures = replace(TODAY, start_equity=start, peak_equity=highest)
    refusal = barred(limits, figures, equity)
    assert refusal is None or refusal.rule in RULES
    if refusal is not None or not limits.needs_equity:
        return
    assert all(value is not None and math.isfinite(value) for value in (start, highest, equity))
    noise = 1e-6 * max(1, abs(start), abs(highest), abs(equity))
    if limits.max_daily_loss is not None:
        assert start - equity <= limits.max_daily_loss + noise
    if limits.max_daily_loss_percentage is not None:
        assert start - equity <= start * limits.max_daily_loss_percentage / 100 + noise
    if limits.max_drawdown is not None:
        assert highest - equity <= highest * limits.max_drawdown / 100 + noise
    if limits.daily_profit_lock is not None:
        assert equity - start < limits.daily_profit_lock
