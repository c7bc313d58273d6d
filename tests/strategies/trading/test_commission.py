import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.commission import charge
from strategies.trading.instruments import Instrument
from strategies.trading.terms import (
    Commission,
    FixedCommission,
    NoCommission,
    PercentageCommission,
    PerShare,
    Terms,
    Tier,
    Tiered,
)
from tests.strategies.trading.market_world import PLAIN, order


def fees(model, fills, *, price=10.0, instrument=PLAIN):
    """Return what each of ``fills`` of one order is charged, the fees of the ones before being paid."""
    charged = []
    state = order(sum(fills))
    for quantity in fills:
        fee = charge(model, state, quantity, price, instrument)
        charged.append(fee)
        state = msgspec.structs.replace(
            state,
            filled=state.filled + quantity,
            fees=state.fees + fee,
            value=state.value + abs(quantity) * price * instrument.multiplier,
        )
    return charged


@pytest.mark.parametrize(
    ("model", "fills", "expected"),
    [
        (NoCommission(), [10.0, 5.0], [0.0, 0.0]),
        (FixedCommission(4.0), [10.0, 5.0], [4.0, 0.0]),
        (PerShare(0.5), [10.0, 5.0], [5.0, 2.5]),
        (PerShare(0.5, minimum=6.0), [10.0, 5.0], [6.0, 1.5]),
        (PerShare(0.5, minimum=6.0), [2.0, 2.0, 10.0], [6.0, 0.0, 1.0]),
        (PercentageCommission(0.01), [10.0, 5.0], [1.0, 0.5]),
        (PercentageCommission(0.01, minimum=1.2), [10.0, 5.0], [1.2, 0.3]),
        (PercentageCommission(0.01, maximum=1.2), [10.0, 5.0], [1.0, 0.2]),
        (PercentageCommission(0.01, minimum=9.0, maximum=1.2), [10.0], [1.2]),
        (Tiered((Tier(0, 1.0), Tier(10, 0.5))), [8.0, 4.0, 10.0], [8.0, 3.0, 5.0]),
        (Tiered((Tier(0, 1.0), Tier(10, 0.5)), minimum=9.0), [8.0, 4.0], [9.0, 2.0]),
        (Tiered((Tier(0, 0.1), Tier(50, 0.2)), by="value"), [4.0, 4.0], [4.0, 5.0 + 0.2 * 30 - 4.0]),
        (Tiered((Tier(0, 0.0), Tier(100, 0.5))), [100.0, 1.0], [0.0, 0.5]),
    ],
)
def test_a_fill_is_charged_what_its_order_costs_beyond_what_it_has_paid(model, fills, expected):
    assert expected == pytest.approx(fees(model, fills), abs=1e-12)
    assert expected == pytest.approx(fees(model, [-quantity for quantity in fills]), abs=1e-12)


def test_what_a_contract_is_worth_counts_not_its_price():
    future = Instrument(symbol="X", multiplier=50.0)
    assert [5.0] == fees(PercentageCommission(0.01), [1.0], instrument=future)
    assert [0.5] == fees(PerShare(0.5), [1.0], instrument=future)


def test_nothing_is_paid_back_when_a_kinder_model_takes_over_half_way():
    half = msgspec.structs.replace(order(10.0), filled=5.0, fees=20.0, value=50.0)
    assert 0.0 == charge(PerShare(0.5), half, 5.0, 10.0, PLAIN)


MODELS = st.sampled_from(
    [
        FixedCommission(4.0), PerShare(0.01, minimum=1.0), PercentageCommission(0.001, 0.5, 30.0),
        Tiered((Tier(0, 0.02), Tier(100, 0.01), Tier(1_000, 0.005)), minimum=0.3),
        Tiered((Tier(0, 0.002), Tier(1e4, 0.001)), by="value"),
    ]
)  # fmt: skip


@given(MODELS, st.lists(st.floats(0.01, 1e5), min_size=1, max_size=8), st.floats(0.01, 1e4))
def test_an_order_costs_the_same_in_one_fill_or_in_many_and_never_less_than_nothing(model, parts, price):
    many = fees(model, parts, price=price)
    assert all(fee >= 0 for fee in many)
    assert fees(model, [sum(parts)], price=price)[0] == pytest.approx(sum(many), rel=1e-9)


@pytest.mark.parametrize(
    "tiers", [[], [{"above": 1, "rate": 1}], [{"above": 0, "rate": 1}, {"above": 0, "rate": 2}],
              [{"above": 0, "rate": 1}, {"above": 9, "rate": 2}, {"above": 5, "rate": 2}]],
)  # fmt: skip
def test_tiers_ascend_from_zero(tiers):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"model": "tiered", "tiers": tiers}, Commission)


@pytest.mark.parametrize(
    "bad",
    [
        {"commission": {"model": "free"}},
        {"commission": {"model": "per_share", "cost": -1}},
        {"commission": {"model": "per_share", "cost": float("nan")}},
        {"commission": {"model": "percentage", "rate": 1.5}},
        {"slippage": {"model": "bps", "bps": float("inf")}},
        {"slippage": {"model": "spread"}},
        {"slippage": {"model": "volume_share", "limit": 0}},
        {"volume_share": 0},
        {"latency": -1},
        {"bars": "vwap"},
    ],
)
def test_terms_that_make_no_sense_are_refused_where_they_are_read(bad):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, Terms)


def test_models_are_named_in_a_file():
    read = msgspec.convert(
        {
            "commission": {"model": "per_share", "cost": 0.005, "minimum": 1},
            "slippage": {"model": "bps", "bps": 5},
        },
        Terms,
    )
    assert PerShare(0.005, 1.0) == read.commission
    assert 5.0 == read.slippage.bps
