import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.trading.slippage import slip
from strategies.trading.terms import (
    FixedSlippage,
    NoSlippage,
    PercentageSlippage,
    SpreadSlippage,
    VolumeShare,
)


@pytest.mark.parametrize(
    ("model", "market", "buy", "sell"),
    [
        (NoSlippage(), {"spread": 2.0, "share": 1.0}, 100.0, 100.0),
        (FixedSlippage(0.25), {}, 100.25, 99.75),
        (PercentageSlippage(50), {}, 100.5, 99.5),
        # At a quote the side is paid already; 0.5 is that side, 1.0 half a spread beyond it.
        (SpreadSlippage(assumed_bps=80), {"spread": 2.0}, 100.0, 100.0),
        (SpreadSlippage(assumed_bps=80, share=1.0), {"spread": 2.0}, 101.0, 99.0),
        (SpreadSlippage(assumed_bps=80, share=0.0), {"spread": 2.0}, 100.0, 100.0),
        # Without one the price is taken for the mid, and the spread for what is assumed: 0.8 of 100.
        (SpreadSlippage(assumed_bps=80), {}, 100.4, 99.6),
        (SpreadSlippage(assumed_bps=80, share=1.0), {}, 100.8, 99.2),
        (SpreadSlippage(assumed_bps=80, share=0.0), {}, 100.0, 100.0),
        (VolumeShare(limit=0.1, impact=0.5), {"share": 0.02}, 100.02, 99.98),
        (VolumeShare(limit=0.1, impact=0.5), {"share": 0.5}, 100.5, 99.5),
        (VolumeShare(limit=0.1, impact=0.5), {}, 100.5, 99.5),  # unknown: as if it took all that it may
    ],
)
def test_a_buy_pays_more_and_a_sell_gets_less(model, market, buy, sell):
    assert buy == pytest.approx(slip(model, 1, 100.0, **market), rel=1e-12)
    assert sell == pytest.approx(slip(model, -1, 100.0, **market), rel=1e-12)


def test_no_sale_is_made_for_nothing_or_less():
    assert 0.03 == slip(FixedSlippage(5.0), -1, 3.0)
    assert 0.03 == slip(PercentageSlippage(10_000), -1, 3.0)


MODELS = st.one_of(
    st.just(NoSlippage()),
    st.builds(FixedSlippage, st.floats(0, 1e3)),
    st.builds(PercentageSlippage, st.floats(0, 1e4)),
    st.builds(SpreadSlippage, st.floats(0, 1e4), st.floats(0, 10)),
    st.builds(VolumeShare, st.floats(1e-6, 1), st.floats(0, 100)),
)
UNKNOWN = st.none()


@given(
    MODELS,
    st.floats(1e-6, 1e9),
    UNKNOWN | st.floats(0, 1e6),
    UNKNOWN | st.floats(0, 1e3),
    st.sampled_from([1, -1]),
)
def test_slippage_never_betters_a_price_and_leaves_it_one(model, price, spread, share, side):
    slipped = slip(model, side, price, spread=spread, share=share)
    assert slipped > 0
    assert (slipped - price) * side >= 0
