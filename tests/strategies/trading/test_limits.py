import math

import msgspec
import pytest

from strategies.config import RiskConfig
from strategies.trading.limits import HARMLESS, PROTECTIVE, Limits


def test_no_risk_configuration_is_no_limit():
    assert Limits.of({}) == Limits()
    assert Limits.of(msgspec.to_builtins(RiskConfig())) == Limits()


def test_the_limits_that_are_held_are_read_as_numbers():
    held = Limits.of({"max_position_size": 5, "max_notional": 1000.5})
    assert held == Limits(max_position_size=5.0, max_notional=1000.5)


def test_a_limit_of_zero_is_a_limit_and_not_none():
    assert Limits.of({"max_position_size": 0}).max_position_size == 0.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, "5", True, [5]])
def test_a_value_that_is_no_limit_is_named_and_never_taken_for_no_limit(value):
    limits = Limits.of({"max_notional": value})
    assert limits.max_notional is None
    assert limits.invalid == (f"max_notional is {value!r}, not a finite number above or at zero",)


def test_every_other_field_of_the_risk_configuration_is_demanded_by_name():
    names = set(RiskConfig.__struct_fields__) - {"max_position_size", "max_notional"} - HARMLESS
    limits = Limits.of(dict.fromkeys(names, 1))
    assert set(limits.protective) == PROTECTIVE & names == PROTECTIVE
    assert set(limits.not_held) == names - PROTECTIVE


def test_a_limit_that_nobody_knows_is_demanded_too():
    assert Limits.of({"max_moon_phase": 1}).not_held == ("max_moon_phase",)
