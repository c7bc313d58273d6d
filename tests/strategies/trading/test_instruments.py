from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.instruments import (
    Instrument,
    on_grid,
    parse,
    round_down,
    round_up,
    worse_price,
)


@pytest.mark.parametrize(
    ("value", "step", "down", "up"),
    [
        (0.1 + 0.2, 0.1, 0.3, 0.3),  # the sum is 0.30000000000000004
        (1.15, 0.05, 1.15, 1.15),
        (7.9, 1.0, 7.0, 8.0),
        (-7.9, 1.0, -7.0, -8.0),
        (5.1, 2.5, 5.0, 7.5),
        (0.4, 1.0, 0.0, 1.0),
        (100.0, 0.25, 100.0, 100.0),
        (0.123456789, 1e-8, 0.12345678, 0.12345679),
        (999_999.999_999_9, 1.0, 1_000_000.0, 1_000_000.0),  # one part in 1e13 off is noise
        (0.3 + 5e-11, 0.1, 0.3, 0.3),  # and so is half a billionth of a step
        (1e12 + 0.25, 1.0, 1e12, 1e12 + 1),  # but never as much as a hundredth of one
        (2.0, 0.3, 1.8, 2.1),
        (1.9, 1 / 3, 5 * (1 / 3), 2.0),  # no decimal number: as near as doubles come
        (1.0, 0.03125, 1.0, 1.0),
        (3.7, None, 3.7, 3.7),
    ],
)
def test_a_number_is_put_on_its_grid_as_a_person_would_write_it(value, step, down, up):
    assert (down, up) == (round_down(value, step), round_up(value, step))


DECIMAL_STEP = st.sampled_from(
    [1e-8, 1e-5, 0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 100.0]
)


@given(st.integers(-(10**6), 10**6), DECIMAL_STEP)
def test_every_multiple_is_on_the_grid_and_stays_where_it_is(count, step):
    value = float(Fraction(str(step)) * count)
    assert on_grid(value, step)
    assert value == round_down(value, step) == round_up(value, step)


@given(st.floats(-1e6, 1e6), DECIMAL_STEP)
def test_rounding_goes_towards_zero_or_away_from_it_by_less_than_a_step(value, step):
    down, up = round_down(value, step), round_up(value, step)
    assert on_grid(down, step)
    assert on_grid(up, step)
    assert abs(down) <= abs(value) * (1 + 1e-11) + 1e-9 * step
    assert abs(up) >= abs(value) * (1 - 1e-11) - 1e-9 * step
    noise = 1e-15 * abs(value) + 1e-6 * step
    assert abs(up - down) <= step + noise
    assert abs(value - down) <= step + noise


@pytest.mark.parametrize(
    ("value", "step", "on"),
    [
        (1.005, 0.01, False),
        (1.01, 0.01, True),
        (float("nan"), 0.01, False),
        (float("inf"), 0.01, False),
        (float("nan"), None, False),
        (1.23456, None, True),
        (1.01 + 1e-7, 0.01, False),
    ],
)
def test_a_price_is_on_the_grid_or_not_and_never_when_it_is_no_number(value, step, on):
    assert on_grid(value, step) is on


@pytest.mark.parametrize(
    ("price", "side", "worse"), [(10.001, 1, 10.01), (10.009, -1, 10.0), (0.004, -1, 0.01), (0.004, 1, 0.01)]
)
def test_a_price_is_rounded_against_who_trades_and_to_a_tick_at_least(price, side, worse):
    assert worse == worse_price(price, side, 0.01)


DOCUMENT = """
[ES]
tick_size = 0.25
lot_size = 1
multiplier = 50
currency = "USD"
calendar = "CME_Equity"
venues = { ib = "ESZ6", cqg = "F.US.EPZ26" }

["BTC/USD"]
base = "BTC"
currency = "USD"
min_quantity = 0.0001
"""


def test_a_document_has_one_table_a_symbol():
    table = parse(DOCUMENT)
    es = table.of("ES")
    assert (0.25, 1.0, 50.0, "USD", "CME_Equity") == (
        es.tick_size, es.lot_size, es.multiplier, es.currency, es.calendar
    )  # fmt: skip
    assert ("BTC", 0.0001) == (table.of("BTC/USD").base, table.of("BTC/USD").min_quantity)
    assert () == table.problems


def test_a_symbol_of_which_nothing_is_said_has_plain_terms():
    assert Instrument(symbol="ANY") == parse(DOCUMENT).of("ANY")


def test_a_venue_has_its_own_name_for_a_symbol_and_both_ways_lead_there():
    table = parse(DOCUMENT)
    assert ("ESZ6", "ES", "ES") == (
        table.of("ES").at("ib"),
        table.of("ES").at("other"),
        table.named("ib", "ESZ6"),
    )
    assert "SPY" == table.named("ib", "SPY")
    assert "ESZ6" == table.named("other", "ESZ6")


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        ("[A]\ntick_size = -1", "instruments: A: tick_size is -1: Expected `float` > 0.0"),
        ("[A]\nlot_size = nan", "instruments: A: lot_size is nan: Expected `float` > 0.0"),
        ("[A]\nlot_size = 0", "instruments: A: lot_size is 0: Expected `float` > 0.0"),
        ("[A]\nmultiplier = inf", "instruments: A: multiplier is inf: Expected `float` <= 1000000000000.0"),
        ("[A]\ntick = 1", "instruments: A: Object contains unknown field `tick`"),
        ("[A]\nsymbol = 'B'", "instruments: A: symbol is the name of the table, not a field of it"),
        ("A = 3", 'instruments: A: 3 is no table; write ["A"] and its fields below'),
        ("['A b']", "instruments: 'A b' is no symbol: [A-Za-z0-9^=][A-Za-z0-9._:/^=&+#@-]{0,63}"),
        (
            "[B]\nvenues={ib='X1'}\n[A]\nvenues={ib='X1'}",
            "instruments: A: venues.ib is 'X1', which is B already",
        ),
        (
            "[A]\nvenues={ib=''}",
            "instruments: A: venues[...] is {'ib': ''}: Expected `str` of length >= 1",
        ),
    ],
)
def test_a_bad_table_is_one_line_and_its_symbol_is_unknown_while_the_others_stand(bad, line):
    table = parse(
        f"[GOOD]\ntick_size = 0.5\n{bad}" if not bad.startswith("A =") else f"{bad}\n[GOOD]\ntick_size=0.5"
    )
    assert (line,) == table.problems
    assert 0.5 == table.of("GOOD").tick_size
    name = "A b" if "A b" in bad else "A"
    assert table.of(name) is None
    assert line == table.broken[name]


def test_a_slip_of_the_pen_leaves_an_instrument_as_it_was_and_is_listed():
    before = parse(DOCUMENT)
    after = parse(DOCUMENT.replace("multiplier = 50", "multiplier = -50"), before)
    assert before.of("ES") == after.of("ES")
    assert ("instruments: ES: multiplier is -50: Expected `float` > 0.0",) == after.problems
    assert {} == after.broken


def test_what_is_no_toml_is_an_error_of_the_whole():
    with pytest.raises(ValueError, match="line 2"):
        parse("[ES]\ntick_size = = 1")
