import itertools

import pytest

from strategies.trading.latches import EFFECTS, LATCH_KINDS, Effect, Latch, refusing, stronger


def latch(kind):
    return Latch(scope="account", name="A", kind=kind, rule="max_drawdown", reason="why", at=1)


def test_what_each_kind_does_is_one_table():
    assert EFFECTS == {
        "exit_only": Effect("latch_exit_only", "", "entries", closes=False),
        "pause": Effect("latch_pause", "latch_pause", "entries", closes=False),
        "flatten": Effect("latch_flatten", "", "all", closes=True),
        "lock": Effect("latch_lock", "latch_lock", "all", closes=True),
    }


@pytest.mark.parametrize("kind", LATCH_KINDS)
def test_every_latch_refuses_entries_by_its_own_name(kind):
    assert refusing(latch(kind), exits=False) == f"latch_{kind}"


@pytest.mark.parametrize(
    ("kind", "rule"),
    [("exit_only", ""), ("pause", "latch_pause"), ("flatten", ""), ("lock", "latch_lock")],
)
def test_exits_pass_where_the_kind_says_so(kind, rule):
    assert refusing(latch(kind), exits=True) == rule


@pytest.mark.parametrize("exits", [True, False])
def test_without_a_latch_everything_passes(exits):
    assert refusing(None, exits) == ""


def test_the_first_latch_is_set_whatever_it_is():
    for kind in LATCH_KINDS:
        assert stronger(None, latch(kind)) == latch(kind)


@pytest.mark.parametrize(("present", "new"), list(itertools.product(LATCH_KINDS, LATCH_KINDS)))
def test_only_a_stronger_latch_takes_the_place_of_one(present, new):
    ascending = ["exit_only", "pause", "flatten", "lock"]
    wins = ascending.index(new) > ascending.index(present)
    assert stronger(latch(present), latch(new)) == (latch(new) if wins else None)


def test_what_a_stronger_latch_bars_no_weaker_one_lets_through_again():
    """Nothing that was to be cancelled or closed is forgotten when a stronger latch takes the place."""
    for weaker, more in itertools.pairwise(LATCH_KINDS):
        one, other = EFFECTS[weaker], EFFECTS[more]
        assert other.closes >= one.closes
        assert (other.cancels == "all") >= (one.cancels == "all")
