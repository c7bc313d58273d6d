import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from strategies.trading.figures import Figures, begun, ordered, round_trip, stopped

TODAY = Figures(
    scope="account", name="A", day="2024-01-02", start_equity=900.0, peak_equity=1000.0, orders=5, losses=2,
    last_loss_at=70, last_stop_at=80, locked_profit=True,
)  # fmt: skip


def test_a_new_day_begins_with_nothing_ordered_locked_or_measured():
    assert begun(TODAY, "2024-01-03") == replace(
        TODAY, day="2024-01-03", start_equity=None, orders=0, locked_profit=False
    )


def test_a_night_ends_no_run_of_losses_and_no_peak():
    tomorrow = begun(TODAY, "2024-01-03")
    assert (tomorrow.losses, tomorrow.last_loss_at, tomorrow.last_stop_at, tomorrow.peak_equity) == (
        2, 70, 80, 1000.0,
    )  # fmt: skip


def test_the_same_day_again_begins_nothing():
    assert begun(TODAY, "2024-01-02") is TODAY


def test_orders_are_counted_by_their_day():
    assert ordered(TODAY, "2024-01-02").orders == 6
    tomorrow = ordered(TODAY, "2024-01-03")
    assert (tomorrow.day, tomorrow.orders, tomorrow.start_equity) == ("2024-01-03", 1, None)


def test_an_order_of_a_feed_that_is_behind_counts_today_and_brings_no_day_back():
    assert ordered(TODAY, "2024-01-01") == replace(TODAY, orders=6)


def test_an_order_changes_nothing_else_of_its_day():
    assert ordered(TODAY, "2024-01-02") == replace(TODAY, orders=6)


@pytest.mark.parametrize(
    ("profit", "losses", "last_loss_at"),
    [(-0.01, 3, 90), (0.01, 0, 70), (0.0, 2, 70), (-0.0, 2, 70), (float("nan"), 3, 90)],
)
def test_a_loss_lengthens_the_run_and_a_profit_ends_it(profit, losses, last_loss_at):
    assert round_trip(TODAY, profit, 90) == replace(TODAY, losses=losses, last_loss_at=last_loss_at)


def test_a_feed_that_is_behind_takes_no_time_back():
    assert round_trip(TODAY, -1.0, 60).last_loss_at == 70
    assert stopped(TODAY, 60).last_stop_at == 80


def test_a_stop_is_noted_with_its_time():
    assert stopped(TODAY, 90) == replace(TODAY, last_stop_at=90)


@given(st.lists(st.floats(-5, 5), max_size=30))
def test_the_run_is_that_of_the_last_trips_that_won_or_lost(profits):
    figures = Figures(scope="account", name="A")
    for at, profit in enumerate(profits, 1):
        figures = round_trip(figures, profit, at)
    decided = [profit < 0 for profit in profits if profit]
    run = 0
    while run < len(decided) and decided[-1 - run]:
        run += 1
    assert figures.losses == run
