import math

import pytest

from bus.messages import Signal
from strategies.trading.instructions import (
    LARGEST,
    Instructions,
    collar,
    entry_prices,
    instructions,
    numbers,
)
from strategies.trading.instruments import Instrument
from strategies.trading.rules import Refusal
from strategies.trading.view import PLAIN, Session

NOW = 1_700_000_000_000_000_000
SESSION = Session(closes_at=NOW + 1000)
GRID = Instrument(symbol="X", tick_size=0.05)


def signal(intent="enter_long", **fields):
    return Signal(symbol="X", intent=intent, **fields)


def told(exits=False, instrument=PLAIN, session=SESSION, **fields):
    return instructions(signal(**fields), instrument, session, NOW, exits)


def order(kind="market", limit=None, stop=None, tif="day", expires_at=SESSION.closes_at, slippage=None):  # noqa: PLR0917 - the fields of an order, in their order
    return Instructions(kind, limit, stop, tif, expires_at, slippage)


LIMIT = {"order_type": "limit", "limit_price": 99.0}
STOP = {"order_type": "stop", "stop_price": 101.0}
BOTH = {"order_type": "stop_limit", "limit_price": 102.0, "stop_price": 101.0}


@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({}, order()),
        (LIMIT, order("limit", 99.0)),
        (STOP, order("stop", None, 101.0)),
        (BOTH, order("stop_limit", 102.0, 101.0)),
        (LIMIT | {"time_in_force": "gtc"}, order("limit", 99.0, None, "gtc", 0)),
        (LIMIT | {"time_in_force": "ioc"}, order("limit", 99.0, None, "ioc", 0)),
        (LIMIT | {"time_in_force": "fok"}, order("limit", 99.0, None, "fok", 0)),
        ({"time_in_force": "ioc"}, order(tif="ioc", expires_at=0)),
        (LIMIT | {"time_in_force": "gtd", "good_till": NOW + 5}, order("limit", 99.0, None, "gtd", NOW + 5)),
        ({"max_slippage_bps": 5.0}, order(slippage=5.0)),
        ({"max_slippage_bps": 0.0}, order(slippage=0.0)),
    ],
)
def test_a_signal_says_what_its_order_is_to_be(fields, asked):
    assert told(**fields) == asked


@pytest.mark.parametrize(
    ("fields", "expires_at"),
    [
        ({}, 0),  # a market order waits for its tick
        (LIMIT, SESSION.closes_at),
        ({"time_in_force": "gtd", "good_till": NOW + 5}, NOW + 5),
    ],
)
def test_an_exit_at_the_market_does_not_expire_over_night(fields, expires_at):
    assert told(exits=True, intent="exit_long", **fields).expires_at == expires_at


def test_a_day_without_an_end_never_ends():
    assert told(session=Session()).expires_at == 0


@pytest.mark.parametrize(
    ("fields", "square_off_at", "expires_at"),
    [
        ({}, NOW + 10, NOW + 10),
        ({}, NOW + 2000, SESSION.closes_at),
        (LIMIT | {"time_in_force": "gtc"}, NOW + 10, NOW + 10),
        (LIMIT | {"time_in_force": "gtd", "good_till": NOW + 5}, NOW + 10, NOW + 5),
        (LIMIT | {"time_in_force": "gtd", "good_till": NOW + 50}, NOW + 10, NOW + 10),
    ],
)
def test_no_entry_is_filled_after_the_square_off_of_its_day(fields, square_off_at, expires_at):
    session = Session(closes_at=SESSION.closes_at, square_off_at=square_off_at)
    assert told(session=session, **fields).expires_at == expires_at


def test_an_exit_may_rest_beyond_the_square_off():
    session = Session(closes_at=SESSION.closes_at, square_off_at=NOW + 10)
    assert told(exits=True, session=session, intent="exit_long", **LIMIT).expires_at == SESSION.closes_at


def test_what_an_exit_would_be_cancelled_for_is_dropped():
    assert told(exits=True, intent="exit_long", max_slippage_bps=5.0) == order(expires_at=0)


@pytest.mark.parametrize(
    ("fields", "rule", "detail"),
    [
        ({"order_type": "limit"}, "order_price_missing", "a limit order needs limit_price"),
        ({"order_type": "stop"}, "order_price_missing", "a stop order needs stop_price"),
        (BOTH | {"limit_price": None}, "order_price_missing", "a stop_limit order needs limit_price"),
        (BOTH | {"stop_price": None}, "order_price_missing", "a stop_limit order needs stop_price"),
        (
            {"limit_price": 9.0}, "order_price_unexpected",
            "limit_price is given, and a market order takes none",
        ),
        (
            LIMIT | {"stop_price": 9.0}, "order_price_unexpected",
            "stop_price is given, and a limit order takes none",
        ),
        (
            STOP | {"limit_price": 9.0}, "order_price_unexpected",
            "limit_price is given, and a stop order takes none",
        ),
        (LIMIT | {"time_in_force": "gtd"}, "good_till_invalid", "gtd needs good_till"),
        (
            LIMIT | {"good_till": NOW + 5}, "good_till_invalid",
            "good_till is given, and time_in_force is day",
        ),
        (
            {"time_in_force": "gtd", "good_till": NOW}, "good_till_invalid", "good_till is 0.000 s ago",
        ),
        (
            {"time_in_force": "gtd", "good_till": NOW - 1_234_567_500_000_000}, "good_till_invalid",
            "good_till is 1234567.500 s ago",
        ),
        (
            STOP | {"time_in_force": "ioc"}, "time_in_force_unsupported",
            "ioc: a stop order waits for its price; day, gtc or gtd",
        ),
        (
            BOTH | {"time_in_force": "fok"}, "time_in_force_unsupported",
            "fok: a stop_limit order waits for its price; day, gtc or gtd",
        ),
        (
            LIMIT | {"max_slippage_bps": 0.0}, "instruction_unsupported",
            "max_slippage_bps is given, and a limit order has its price",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("exits", [True, False])
def test_an_order_that_cannot_be_as_it_is_written_is_refused(fields, rule, detail, exits):
    assert told(exits=exits, **fields) == Refusal(rule, detail)


@pytest.mark.parametrize("name", ["limit_price", "stop_price"])
@pytest.mark.parametrize(("price", "on_grid"), [(99.05, True), (99.15, True), (99.07, False)])
def test_prices_are_on_the_grid_of_the_symbol(name, price, on_grid):
    given = BOTH | {name: price}
    answer = told(instrument=GRID, **given)
    if on_grid:
        assert getattr(answer, name) == price
    else:
        assert answer == Refusal("off_tick_grid", f"{name} {price} is no multiple of the tick size 0.05")


@pytest.mark.parametrize("instrument", [None, PLAIN])
def test_without_a_grid_every_price_is_on_it(instrument):
    assert told(instrument=instrument, order_type="limit", limit_price=99.123456).limit_price == 99.123456


@pytest.mark.parametrize(("fields", "price"), [({}, None), (LIMIT, 99.0), (STOP, 101.0), (BOTH, 102.0)])
def test_an_order_is_to_trade_at_its_limit_else_at_its_stop(fields, price):
    assert told(**fields).price == price


# ---- prices of what takes on risk -----------------------------------------------------------------
def limit(price):
    return order("limit", price)


def stop(price):
    return order("stop", None, price)


def stop_limit(price, at):
    return order("stop_limit", price, at)


@pytest.mark.parametrize(
    ("asked", "side", "rule"),
    [
        (order(), 1, None),
        (limit(105.0), 1, None),
        (limit(105.01), 1, "price_collar"),
        (limit(1.0), 1, None),  # far below the market: it waits
        (limit(95.0), -1, None),
        (limit(94.99), -1, "price_collar"),
        (limit(900.0), -1, None),
        (stop(100.01), 1, None),
        (stop(100.0), 1, "stop_side"),
        (stop(99.0), 1, "stop_side"),
        (stop(99.99), -1, None),
        (stop(100.0), -1, "stop_side"),
        (stop(101.0), -1, "stop_side"),
        (stop(900.0), 1, None),
        (stop_limit(210.0, 200.0), 1, None),
        (stop_limit(210.01, 200.0), 1, "price_collar"),
        (stop_limit(1.0, 200.0), 1, None),
        (stop_limit(47.5, 50.0), -1, None),
        (stop_limit(47.49, 50.0), -1, "price_collar"),
        (stop_limit(90.0, 99.0), 1, "stop_side"),
    ],
)
def test_a_price_beyond_the_market_is_a_slip_of_the_pen(asked, side, rule):
    refusal = entry_prices(asked, side, 100.0)
    assert (None if refusal is None else refusal.rule) == rule


@pytest.mark.parametrize("last", [math.nan])
@pytest.mark.parametrize("asked", [limit(100.0), stop(101.0)])
def test_against_no_price_no_price_is_good(asked, last):
    assert entry_prices(asked, 1, last) is not None


@pytest.mark.parametrize(
    ("asked", "side", "detail"),
    [
        (limit(106.0), 1, "limit_price 106 is more than 5% beyond the last price, 100"),
        (stop(99.0), 1, "stop_price 99 is not above the last price, 100"),
        (stop(101.0), -1, "stop_price 101 is not below the last price, 100"),
        (stop_limit(120.0, 110.0), 1, "limit_price 120 is more than 5% beyond stop_price 110"),
    ],
)
def test_a_refused_price_is_told_beside_the_market(asked, side, detail):
    assert entry_prices(asked, side, 100.0).detail == detail


# ---- what the strategy saw ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("seen", "last", "rule"),
    [
        (100.0, 100.0, None),
        (105.0, 100.0, None),
        (105.01, 100.0, "price_collar"),
        (95.0, 100.0, None),
        (94.99, 100.0, "price_collar"),
        (None, 100.0, "reference_unknown"),
        (100.0, None, "price_unknown"),
        (LARGEST, LARGEST, None),
    ],
)
def test_the_strategy_saw_the_market_as_it_is(seen, last, rule):
    refusal = collar(signal(reference_price=seen), last)
    assert (None if refusal is None else refusal.rule) == rule


def test_a_strategy_that_does_not_say_what_it_saw_is_told_so():
    assert collar(signal(), 100.0).detail == "reference_price is missing, so the collar cannot be judged"


@pytest.mark.parametrize("last", [0.0, -1.0, math.nan, math.inf, LARGEST * 1.1])
def test_a_last_price_that_is_none_is_unknown(last):
    assert collar(signal(reference_price=100.0), last) == Refusal(
        "price_unknown", "no price of X has been seen yet"
    )


# ---- numbers --------------------------------------------------------------------------------------
ABOVE_ZERO = ["quantity", "notional", "limit_price", "stop_price", "reference_price", "time_stop_s"]


@pytest.mark.parametrize("name", ABOVE_ZERO)
def test_what_is_to_be_above_zero_is(name):
    assert numbers(signal(**{name: LARGEST})) is None
    assert numbers(signal(**{name: 1e-9})) is None
    for value in (0.0, -1.0, math.nan, math.inf, LARGEST * 1.1):
        detail = f"{name} is {value!r}, not a finite number above zero"
        assert numbers(signal(**{name: value})) == Refusal("number_invalid", detail)


@pytest.mark.parametrize("name", ["target_quantity", "target_weight"])
def test_what_may_have_a_sign_is_finite(name):
    for value in (0.0, -LARGEST, LARGEST):
        assert numbers(signal(**{name: value})) is None
    for value in (math.nan, math.inf, -math.inf, LARGEST * 1.1, -LARGEST * 1.1):
        assert numbers(signal(**{name: value})) == Refusal(
            "number_invalid", f"{name} is {value!r}, not a finite number"
        )


def test_a_share_of_risk_is_a_percentage():
    for value in (1e-9, 100.0):
        assert numbers(signal(risk_pct=value)) is None
    for value in (0.0, -1.0, 100.1, math.nan):
        assert numbers(signal(risk_pct=value)) == Refusal(
            "number_invalid", f"risk_pct is {value!r}, not above 0 and at most 100"
        )


def test_a_slippage_may_be_nothing_and_not_less():
    for value in (0.0, LARGEST):
        assert numbers(signal(max_slippage_bps=value)) is None
    for value in (-0.1, math.nan, math.inf, LARGEST * 1.1):
        assert numbers(signal(max_slippage_bps=value)) == Refusal(
            "number_invalid", f"max_slippage_bps is {value!r}, not a finite number from zero on"
        )
