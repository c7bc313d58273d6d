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
