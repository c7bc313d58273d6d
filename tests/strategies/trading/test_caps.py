"""Limits may be reached and not passed, by the deployment and by its account."""

import math

import msgspec
import pytest

from strategies.trading.caps import MAX_OPEN_ORDERS
from strategies.trading.gate import judge
from strategies.trading.keys import MOST_KEYS
from strategies.trading.limits import Limits
from strategies.trading.view import Party
from tests.strategies.trading.gate_world import (
    ENTRY,
    EXIT,
    LONG,
    NOW,
    TODAY,
    VIEW,
    judged,
)


def test_a_position_may_be_as_large_as_allowed_orders_that_wait_included():
    view = {"held": 1.0, "buying": 2.0, "limits": Limits(max_position_size=4.0)}
    assert judged(view=view, quantity=1.0).decision == "accepted"
    assert judged(view=view, quantity=1.001).rule == "max_position_size"


def test_an_exit_that_waits_makes_no_room_since_it_may_be_cancelled():
    view = {"held": 4.0, "selling": -4.0, "waiting": 1, "limits": Limits(max_position_size=4.0)}
    assert judged(view=view).rule == "max_position_size"


def test_a_notional_limit_is_on_the_whole_position_at_the_last_price():
    view = {"held": 1.0, "limits": Limits(max_notional=200.0)}
    assert judged(view=view, quantity=1.0).decision == "accepted"
    assert judged(view=view, quantity=1.01).rule == "max_notional"


def test_exits_have_room_when_entries_have_used_up_theirs():
    assert judged(EXIT, LONG | {"waiting": 2 * MAX_OPEN_ORDERS - 1}).decision == "accepted"
    assert judged(EXIT, LONG | {"waiting": 2 * MAX_OPEN_ORDERS}).rule == "open_orders"


def test_so_many_keys_that_the_engine_would_need_too_much_memory_bar_entries_first():
    assert judged(ENTRY, {"remembered": MOST_KEYS - 1}).decision == "accepted"
    assert judged(ENTRY, {"remembered": MOST_KEYS}).rule == "remembered"
    assert judged(EXIT, LONG | {"remembered": 2 * MOST_KEYS - 1}).decision == "accepted"
    assert judged(EXIT, LONG | {"remembered": 2 * MOST_KEYS}).rule == "remembered"


@pytest.mark.parametrize("who", ["own", "account"])
@pytest.mark.parametrize(
    ("limits", "good", "bad"),
    [
        ({"max_orders_per_min": 3}, {"orders_minute": 2}, {"orders_minute": 3}),
        ({"max_identical_orders_per_min": 3}, {"identical": 2}, {"identical": 3}),
        (
            {"max_orders_per_day": 3},
            {"figures": msgspec.structs.replace(TODAY, orders=2)},
            {"figures": msgspec.structs.replace(TODAY, orders=3)},
        ),
        ({"max_open_positions": 3}, {"open_elsewhere": 2}, {"open_elsewhere": 3}),
        ({"max_exposure": 500.0}, {"elsewhere": 400.0}, {"elsewhere": 400.1}),
        ({"max_notional": 500.0}, {"held": 3.0, "buying": 1.0}, {"held": 3.0, "buying": 1.1}),
        ({"max_position_size": 5.0}, {"held": 3.0, "buying": 1.0}, {"held": 3.0, "buying": 1.1}),
        ({"max_position_size": 5.0}, {"held": 3.0, "selling": -3.0}, {"held": 4.1, "selling": -3.0}),
    ],
)
def test_a_limit_may_be_reached_and_not_passed(who, limits, good, bad):
    for fields, passes in ((good, True), (bad, False)):
        party = msgspec.structs.replace(Party(), limits=Limits(**limits), **fields)
        assert judge(ENTRY, msgspec.structs.replace(VIEW, **{who: party}), NOW).passed is passes


@pytest.mark.parametrize("who", ["own", "account"])
def test_exposure_is_what_is_elsewhere_and_the_most_that_the_deployment_comes_to(who):
    bound = {"limits": Limits(max_exposure=500.0), "elsewhere": 200.0}
    for own, passes in (({"held": 2.0}, True), ({"held": 2.1}, False), ({"held": 1.0, "buying": 1.1}, False)):
        view = msgspec.structs.replace(VIEW, own=msgspec.structs.replace(Party(), **own))
        party = msgspec.structs.replace(getattr(view, who), **bound)
        assert judge(ENTRY, msgspec.structs.replace(view, **{who: party}), NOW).passed is passes


@pytest.mark.parametrize("holds", [{"held": 1.0}, {"held": -1.0}, {"buying": 1.0}, {"selling": -1.0}])
def test_what_is_open_already_is_no_position_more(holds):
    full = {"limits": Limits(max_open_positions=1), "open_elsewhere": 1}
    assert judged(view=full).rule == "max_open_positions"
    assert judged(view=full | holds).decision == "accepted"
    # An account that holds the symbol for others counts this one as one more.
    account = msgspec.structs.replace(Party(), **full | holds)
    assert judged(view={"account": account}).rule == "max_open_positions"
    assert judged(view={"account": account} | holds).decision == "accepted"


def test_a_rate_that_is_not_known_judges_no_limit():
    for limits in (Limits(max_notional=1e9), Limits(max_exposure=1e9)):
        assert judged(view={"limits": limits}).decision == "accepted"
        assert judged(view={"limits": limits, "rate": None}).rule in {"price_unknown", "exposure_unknown"}
        assert judged(view={"limits": limits, "rate": math.nan}).rule in {"max_notional", "max_exposure"}
    assert (
        judged(view={"rate": None}).decision == "accepted"
    )  # a quantity needs none where nothing is limited


@pytest.mark.parametrize(("who", "name"), [("own", "the deployment"), ("account", "the account")])
@pytest.mark.parametrize(
    ("fields", "view", "detail"),
    [
        (
            {"limits": Limits(max_notional=99.0)}, {},
            "the position of {} would be worth 100, at most 99",
        ),
        (
            {"limits": Limits(max_notional=99.0)}, {"rate": None},
            "what a unit is worth in the account's currency is unknown",
        ),
        (
            {"limits": Limits(max_position_size=0.5)}, {},
            "the position of {} would be 1 units, at most 0.5",
        ),
        (
            {"limits": Limits(max_open_positions=2), "open_elsewhere": 3}, {},
            "{} has 3 open elsewhere, at most 2",
        ),
        (
            {"limits": Limits(max_exposure=500.0), "elsewhere": 401.0}, {},
            "the positions of {} would be worth 501 together, at most 500",
        ),
        (
            {"limits": Limits(max_exposure=500.0), "elsewhere": None}, {},
            "what the positions of {} are worth is unknown",
        ),
        (
            {"limits": Limits(max_exposure=500.0)}, {"rate": None},
            "what the positions of {} are worth is unknown",
        ),
        (
            {"limits": Limits(max_orders_per_min=3), "orders_minute": 4}, {},
            "{} has 4 of a minute, at most 3",
        ),
        (
            {"limits": Limits(max_identical_orders_per_min=3), "identical": 4}, {},
            "{} has 4 like this one of a minute, at most 3",
        ),
        (
            {
                "limits": Limits(max_orders_per_day=3),
                "figures": msgspec.structs.replace(TODAY, orders=4),
            }, {},
            "{} has 4 of today, at most 3",
        ),
        (
            {"limits": Limits(max_orders_per_day=3)}, {},
            "how many orders {} has of today is unknown",
        ),
        (
            {"limits": Limits(max_daily_loss=50.0), "figures": TODAY, "equity": 940.0}, {},
            "{}: lost 60 today, at most 50",
        ),
        ({"limits": Limits(invalid=("max_notional is nan",))}, {}, "{}: max_notional is nan"),
        ({"limits": Limits(unheld=("a", "b"))}, {}, "{}: there is no limit a, b"),
    ],
)  # fmt: skip
def test_a_refusal_says_whose_limit_it_is_with_its_figures(who, name, fields, view, detail):
    party = msgspec.structs.replace(Party(), **fields)
    verdict = judge(ENTRY, msgspec.structs.replace(VIEW, **{who: party}, **view), NOW)
    assert verdict.detail == detail.format(name)


def test_a_refused_rate_says_whose_it_is():
    assert judged(view={"tokens": 0.5}).detail == "more signals a second than granted"
    assert judged(view={"account": Party(tokens=0.5)}).detail == (
        "more signals a second than granted to the account"
    )


@pytest.mark.parametrize(("signal", "allowed"), [(ENTRY, MAX_OPEN_ORDERS), (EXIT, 2 * MAX_OPEN_ORDERS)])
def test_too_many_orders_that_wait_are_told_with_their_number(signal, allowed):
    verdict = judged(signal, {"held": 1.0, "waiting": allowed})
    assert verdict.detail == f"{allowed} orders of this symbol wait, at most {allowed}"
