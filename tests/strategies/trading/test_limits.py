import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Level, Trail
from strategies.config import RiskConfig
from strategies.trading.levels import Protection
from strategies.trading.limits import NUMBERS, Limits, minute_of_day, within

EVERYTHING = {
    "max_position_size": 5, "max_notional": 1000.5, "max_exposure": 2000, "max_open_positions": 3,
    "max_orders_per_min": 10, "max_orders_per_day": 100, "max_identical_orders_per_min": 4,
    "max_daily_loss": 50, "max_daily_loss_percentage": 2.5, "max_drawdown": 10, "daily_profit_lock": 75,
    "stop_loss_percentage": 2, "take_profit_percentage": 4, "trailing_stop_percentage": 1.5,
    "trailing_stop_activation": 0.5, "time_stop": 3600, "cooldown_after_loss": 3,
    "cooldown_after_loss_s": 600, "cooling_off_after_stop": 300,
    "allowed_sessions": ["09:30-11:30", "22:00-02:00"], "square_off_at": "15:15", "on_breach": "flatten",
    "approval": "manual", "approval_timeout": 60,
}  # fmt: skip


def test_no_risk_configuration_is_no_limit():
    assert Limits.of({}) == Limits()
    assert Limits.of(msgspec.to_builtins(RiskConfig())) == Limits()


def test_every_field_of_the_risk_configuration_is_held():
    assert set(EVERYTHING) == set(RiskConfig.__struct_fields__)
    assert Limits.of(EVERYTHING) == Limits(
        max_position_size=5.0,
        max_notional=1000.5,
        max_exposure=2000.0,
        max_open_positions=3,
        max_orders_per_min=10,
        max_orders_per_day=100,
        max_identical_orders_per_min=4,
        max_daily_loss=50.0,
        max_daily_loss_percentage=2.5,
        max_drawdown=10.0,
        daily_profit_lock=75.0,
        cooldown_after_loss=3,
        cooldown_after_loss_s=600.0,
        cooling_off_after_stop=300.0,
        allowed_sessions=((570, 690), (1320, 120)),
        square_off_at=915,
        on_breach="flatten",
        approval="manual",
        approval_timeout=60.0,
        protect=Protection(
            widest_stop=2.0,
            widest_trail=1.5,
            take_profit=Level("pct", 4.0),
            trailing_stop=Trail("pct", 1.5, 0.5),
            time_stop_s=3600.0,
        ),
    )


def test_what_a_deployment_may_be_configured_with_is_never_invalid():
    risk = RiskConfig.from_mapping({name: value for name, value in EVERYTHING.items() if name != "on_breach"})
    assert Limits.of(msgspec.to_builtins(risk)).invalid == ()


@pytest.mark.parametrize(
    ("field", "protect"),
    [
        ("stop_loss_percentage", Protection(widest_stop=2.0)),
        ("take_profit_percentage", Protection(take_profit=Level("pct", 2.0))),
        ("trailing_stop_percentage", Protection(trailing_stop=Trail("pct", 2.0), widest_trail=2.0)),
        ("time_stop", Protection(time_stop_s=2.0)),
    ],
)
def test_an_exit_that_is_configured_alone_is_made_alone(field, protect):
    assert Limits.of({field: 2}) == Limits(protect=protect)


def test_a_limit_of_zero_is_a_limit_and_not_none():
    limits = Limits.of({"max_position_size": 0, "max_open_positions": 0, "max_daily_loss": 0})
    assert (limits.max_position_size, limits.max_open_positions, limits.max_daily_loss) == (0.0, 0, 0.0)
    assert limits.invalid == ()


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1.0, -1, "5", True, [5], {}])
def test_a_value_that_is_no_limit_is_named_and_never_taken_for_no_limit(name, value):
    limits = Limits.of({name: value})
    assert limits.invalid[0].startswith(f"{name} is {value!r}, not a")
    assert msgspec.structs.replace(limits, invalid=()) == Limits()


@pytest.mark.parametrize(
    ("risk", "why"),
    [
        ({"max_notional": -1}, "max_notional is -1, not a finite number above or at zero"),
        ({"time_stop": 0}, "time_stop is 0, not a finite number above zero"),
        ({"daily_profit_lock": 0}, "daily_profit_lock is 0, not a finite number above zero"),
        ({"cooling_off_after_stop": 0}, "cooling_off_after_stop is 0, not a finite number above zero"),
        ({"max_orders_per_day": 1.5}, "max_orders_per_day is 1.5, not a whole number above or at zero"),
        ({"max_drawdown": 0}, "max_drawdown is 0, not a percentage above 0, at most 100"),
        ({"max_drawdown": 100.1}, "max_drawdown is 100.1, not a percentage above 0, at most 100"),
        ({"on_breach": "panic"}, "on_breach is 'panic', not one of exit_only, pause, flatten, lock"),
        ({"on_breach": ["lock"]}, "on_breach is ['lock'], not one of exit_only, pause, flatten, lock"),
        ({"square_off_at": "24:00"}, "square_off_at is '24:00', not a time of day, HH:MM"),
        ({"square_off_at": 915}, "square_off_at is 915, not a time of day, HH:MM"),
        ({"allowed_sessions": "09:30-11:30"}, "allowed_sessions is '09:30-11:30', not a list of HH:MM-HH:MM"),
        ({"trailing_stop_activation": 1}, "trailing_stop_activation needs trailing_stop_percentage"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_with_what_is_allowed(risk, why):
    assert Limits.of(risk).invalid == (why,)


@pytest.mark.parametrize("window", [930, None, "9:30-11:30", "09:30", "09:30-09:30", "24:00-02:00", ""])
def test_a_session_that_is_no_window_makes_the_whole_list_invalid(window):
    given = ["00:00-24:00", window]
    assert Limits.of({"allowed_sessions": given}) == Limits(
        invalid=(f"allowed_sessions is {given!r}, not a list of HH:MM-HH:MM",)
    )


def test_half_a_cooldown_is_none():
    losses = {"cooldown_after_loss": 3, "cooldown_after_loss_s": 1}
    assert Limits.of(losses).invalid == ()
    cooldown, seconds = "cooldown_after_loss", "cooldown_after_loss_s"
    assert Limits.of({cooldown: 3}).invalid == (f"{cooldown} needs {seconds}",)
    assert Limits.of({seconds: 3}).invalid == (f"{seconds} needs {cooldown}",)


def test_an_empty_list_of_sessions_allows_none():
    assert Limits.of({"allowed_sessions": []}).allowed_sessions == ()
    assert not within(600, ())


def test_a_hundred_percent_and_a_whole_float_are_in_range():
    limits = Limits.of({"max_drawdown": 100, "max_orders_per_day": 5.0})
    assert (limits.max_drawdown, limits.max_orders_per_day, limits.invalid) == (100.0, 5, ())
    assert type(limits.max_orders_per_day) is int


def test_a_limit_that_nobody_knows_is_demanded_by_name():
    limits = Limits.of({"max_moon_phase": 1, "a": None, "alpha": "x"})
    assert limits == Limits(unheld=("alpha", "max_moon_phase"))


@pytest.mark.parametrize(
    ("field", "needs"),
    [
        ("max_daily_loss", True),
        ("max_daily_loss_percentage", True),
        ("max_drawdown", True),
        ("daily_profit_lock", True),
        ("max_notional", False),
        ("cooldown_after_loss", False),
    ],
)
def test_a_limit_on_profit_needs_equity(field, needs):
    assert Limits.of({field: 1}).needs_equity is needs


@pytest.mark.parametrize(
    ("field", "needs"),
    [
        ("max_daily_loss_percentage", True),
        ("max_drawdown", True),
        ("max_daily_loss", False),
        ("daily_profit_lock", False),
    ],
)
def test_a_share_needs_capital_to_be_of(field, needs):
    assert Limits.of({field: 1}).needs_capital is needs


@pytest.mark.parametrize(
    ("field", "caps"),
    [
        ("max_position_size", True),
        ("max_notional", True),
        ("max_exposure", True),
        ("max_open_positions", True),
        ("max_orders_per_day", False),
    ],
)
def test_a_limit_on_what_is_held_has_it_looked_up(field, caps):
    assert Limits.of({field: 1}).caps_holdings is caps


@pytest.mark.parametrize(
    ("field", "counts"),
    [("max_orders_per_min", True), ("max_identical_orders_per_min", True), ("max_orders_per_day", False)],
)
def test_a_limit_on_a_minute_has_orders_counted(field, counts):
    assert Limits.of({field: 1}).counts_orders is counts


# ---- times of day ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "minute"),
    [("00:00", 0), ("09:30", 570), ("23:59", 1439), ("24:00", 1440)]
    + [(wrong, None) for wrong in ("24:01", "25:00", "09:60", "9:30", "09.30", "0930", "", "-1:00", "09:3x")]
    + [(wrong, None) for wrong in ("x9:30", "٠٩:٣٠", "+9:30", "09:+3", None, 930, b"09:30")],
)
def test_a_time_of_day_is_two_digits_twice(text, minute):
    assert minute_of_day(text) == minute


@pytest.mark.parametrize(
    ("minute", "inside"), [(599, False), (600, True), (659, True), (660, False), (0, False)]
)
def test_a_window_holds_its_start_and_not_its_end(minute, inside):
    assert within(minute, ((600, 660),)) is inside


@pytest.mark.parametrize(
    ("minute", "inside"), [(1319, False), (1320, True), (1439, True), (0, True), (119, True), (120, False)]
)
def test_a_window_over_midnight_goes_on_the_next_morning(minute, inside):
    assert within(minute, ((1320, 120),)) is inside


def test_a_window_that_ends_where_it_starts_would_be_the_whole_day():
    assert all(within(minute, ((600, 600),)) for minute in (0, 599, 600, 1439))


def test_any_window_will_do():
    assert within(650, ((0, 60), (600, 660)))


@given(
    st.dictionaries(st.sampled_from([*EVERYTHING, "x"]), st.none() | st.floats() | st.text() | st.booleans())
)
def test_whatever_is_configured_is_held_named_or_not_there(risk):
    limits = Limits.of(risk)
    for name, value in risk.items():
        said = [why for why in limits.invalid if why.startswith(f"{name} ")]
        held = getattr(limits, name, None) is not None or limits.protect is not None
        # It only says when another begins: where that one is wrong, that is what is said, and bars entries.
        trail = [why for why in limits.invalid if why.startswith("trailing_stop_percentage ")]
        said += trail if name == "trailing_stop_activation" else []
        assert value is None or said or held or name in limits.unheld
