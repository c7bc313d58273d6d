"""What a strategy is told about itself, and the risk limits that an operator may write."""

from __future__ import annotations

import msgspec
import pytest

from bus.timeframes import TimeframeError
from strategies import RiskConfig
from strategies.errors import ParametersInvalid
from tests.strategies.market import config


def test_risk_limits_may_be_text_as_on_a_command_line():
    risk = RiskConfig.from_mapping(
        {"max_position_size": "100", "stop_loss_percentage": 2, "on_breach": "flatten"}
    )
    assert (risk.max_position_size, risk.stop_loss_percentage, risk.on_breach) == (100.0, 2.0, "flatten")
    assert risk.trailing_stop_percentage is None


def test_all_wrong_limits_are_told_at_once():
    with pytest.raises(ParametersInvalid) as caught:
        RiskConfig.from_mapping(
            {"max_positon_size": 1, "stop_loss_percentage": 200, "on_breach": "x", "max_notional": "y"}
        )
    assert [problem.path for problem in caught.value.problems] == [
        "risk.max_positon_size",
        "risk.stop_loss_percentage",
        "risk.on_breach",
        "risk.max_notional",
    ]
    assert "did you mean 'max_position_size'" in caught.value.problems[0].message


@pytest.mark.parametrize(
    ("limit", "value", "told"),
    [
        ("max_daily_loss", "abc", "'abc': expected a number"),
        ("max_notional", "0", "'0': expected a number above 0"),
        ("max_drawdown", "200", "'200': expected a number of at most 100"),
        ("max_orders_per_min", "1.5", "'1.5': expected a whole number"),
        ("max_orders_per_day", 0, "0: expected a whole number from 1 on"),
        ("allowed_sessions", "9-10", "'9-10': expected a list"),
        ("on_breach", "x", "'x': expected pause or exit_only or flatten or lock"),
    ],
)
def test_a_wrong_limit_is_told_in_words_that_name_no_type_of_python(limit: str, value: object, told: str):
    with pytest.raises(ParametersInvalid) as caught:
        RiskConfig.from_mapping({limit: value})
    assert f"risk.{limit}: {told}" == str(caught.value)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_a_finite_number_above_zero(value):
    with pytest.raises(ParametersInvalid, match=r"risk\.max_notional"):
        RiskConfig.from_mapping({"max_notional": value})


def test_the_types_of_the_limits_are_looked_up_once_for_all_cells(monkeypatch: pytest.MonkeyPatch):
    def again(*_: object):
        raise AssertionError("every cell would pay for this with memory of its own")

    monkeypatch.setattr(msgspec.structs, "fields", again)
    assert RiskConfig.from_mapping({"max_notional": "5"}) == RiskConfig(max_notional=5.0)


def test_a_wrong_timeframe_is_refused_by_name():
    with pytest.raises(TimeframeError, match="timeframe 'soon'"):
        config(timeframes=["soon"])
