"""The plan and the accounts of chaos, which are pure: a seed repeats, and no difference goes unseen."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Fill, Position, Tick
from tests.chaos import accounts
from tests.chaos.deployed import COMPARED, VICTIMS, deployments
from tests.chaos.market import played
from tests.chaos.plan import KINDS, NAMES, plan


@given(seed=st.integers(0, 2**63), seconds=st.floats(0, 600))
def test_a_seed_repeats_its_plan(seed, seconds):
    faults = plan(seed, seconds)
    assert faults == plan(seed, seconds)
    assert faults == sorted(faults)
    assert all(0 <= fault.at < seconds for fault in faults)


@given(seed=st.integers(0, 1000), left_out=st.sets(st.sampled_from(NAMES)))
def test_leaving_out_a_kind_changes_nothing_of_the_others(seed, left_out):
    kept = [fault for fault in plan(seed, 60) if fault.kind not in left_out]
    assert kept == plan(seed, 60, without=left_out)


def test_every_kind_comes_as_often_as_it_is_said_to():
    counts = Counter(fault.kind for fault in plan(7, 100_000))
    for kind in KINDS:
        assert counts[kind.name] == pytest.approx(100_000 / kind.every, rel=0.1)


def test_faults_are_done_to_each_with_equal_chance():
    hit = Counter(fault.one_of("abcd") for fault in plan(1, 10_000))
    assert set(hit) == set("abcd")
    assert max(hit.values()) < 1.2 * min(hit.values())
    assert plan(1, 60)[0].one_of([]) is None


def test_deployments_come_in_turn_and_have_names_of_their_own():
    many = deployments(25)
    assert len({one.id for one in many}) == 25 + len(VICTIMS)
    assert {one.strategy for one in deployments(len(COMPARED))} == {
        one.strategy for one in (*COMPARED, *VICTIMS)
    }


@pytest.mark.parametrize("feed", ["fx", "eq"])
def test_a_recording_never_runs_backwards_and_counts_without_a_gap(feed):
    market = played(feed, 3000)
    ticks = [msgspec.msgpack.decode(payload, type=Tick) for _, payload in market.messages]
    assert [tick.seq for tick in ticks] == list(range(1, 3001))
    assert [tick.ts for tick in ticks] == sorted(market.times)
    assert {tick.symbol for tick in ticks} == {market.symbol}


# ---- accounts -------------------------------------------------------------------------------------
def row(
    key="k1",
    name="a",
    *,
    symbol="S",
    quantity=1.0,
    verdict="accepted",
    at=1,
    generation=1,
    intent="enter_long",
):
    return {
        "idempotency_key": key, "deployment_id": name, "symbol": symbol, "intent": intent,
        "quantity": quantity, "timeframe": "1m", "data_as_of": at, "verdict": verdict,
        "generation": generation, "signal_id": f"id-{key}", "seq": at,
    }  # fmt: skip


def told(before, after):
    stories = [accounts.story(rows, {"a", "b"}, {"S": 100}) for rows in (before, after)]
    return [text.partition(" (")[0] for text in accounts.differences(*stories)]


def test_the_same_signals_in_the_same_order_are_no_difference():
    rows = [row("k1", at=1), row("k2", "b", at=1), row("k3", at=2)]
    assert told(rows, rows) == []
    assert told(rows, [rows[1], rows[0], rows[2]]) == [], "deployments are independent of each other"


def test_duplicates_refusals_and_what_came_after_the_last_tick_do_not_count():
    more = [
        row("k1", verdict="duplicate"),
        row("k9", verdict="rejected"),
        row("k8", at=101),
        row("k7", "victim"),
    ]
    assert told([row()], [row(), *more]) == []


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([], ["a S: lost enter_long 1.0 on 1m of 1", "a S: lost enter_long 2.0 on 1m of 2"]),
        ([row("k2", quantity=2.0, at=2), row("k1")], ["a S: in another order"]),
        (
            [row("k1"), row("k2", quantity=2.0, at=2), row("k3", at=3)],
            ["a S: never expected enter_long 1.0 on 1m of 3"],
        ),
        (
            [row("k1"), row("k2", quantity=5.0, at=2)],
            ["a S: different: expected enter_long 2.0 on 1m of 2"],
        ),
    ],
)  # fmt: skip
def test_every_difference_is_told(after, expected):
    assert told([row("k1"), row("k2", quantity=2.0, at=2)], after) == expected


def test_what_a_rule_took_is_told_by_its_name():
    rows = [
        {**row("k1", verdict="rejected"), "rule": "open_orders"},
        {**row("k2", verdict="rejected"), "rule": "open_orders"},
        {**row("k3", verdict="expired"), "rule": "ttl"},
        {**row("k4", verdict="duplicate"), "rule": "duplicate"},
        {**row("k5", "victim", verdict="rejected"), "rule": "rate"},
        {**row("k6", verdict="rejected", at=101), "rule": "rate"},
        {**row("k7"), "rule": ""},
    ]
    told = accounts.refused(rows, {"a"}, {"S": 100})
    assert told == ["a S: 2 refused by open_orders", "a S: 1 refused by ttl"]


def test_a_key_that_was_accepted_twice_is_told():
    assert accounts.repeated([row(), row(verdict="duplicate")]) == []
    assert accounts.repeated([row(), row(at=2)]) == ["key k1 was accepted 2 times"]


def test_an_instance_that_is_heard_after_its_successor_is_told():
    assert accounts.overtaken([row(generation=1), row("k2", generation=2, at=2)]) == []
    assert accounts.overtaken([row(generation=2), row("k2", generation=1, at=2)]) == [
        "a: generation 1 after 2, record 2"
    ]


def fill(signal="id-k1", quantity=1.0):
    return Fill(f"fill-{signal}", signal, "a", "acc", "S", quantity, 1.0, 0.0, 1)


def test_orders_fills_and_positions_that_agree_are_nothing_to_tell():
    assert accounts.unbalanced([row()], [fill()], [Position("a", "S", 1.0)]) == []


@pytest.mark.parametrize(
    ("fills", "held", "expected"),
    [
        ([fill(), fill()], 2.0, ["signal id-k1 was filled 2 times"]),
        ([fill(), fill("id-x")], 2.0, ["fill fill-id-x of a has no accepted signal"]),
        ([fill(quantity=3.0)], 3.0, ["a: 1 was asked for, 3 filled"]),
        ([fill()], 2.0, ["a S: the fills make 1, the position is 2"]),
        ([], 2.0, ["a S: the fills make 0, the position is 2"]),
    ],
)
def test_every_disagreement_of_the_books_is_told(fills, held, expected):
    assert accounts.unbalanced([row()], fills, [Position("a", "S", held)]) == expected
