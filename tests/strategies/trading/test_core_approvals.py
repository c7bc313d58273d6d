"""What waits for a person, what never does, and what a person's word does."""

from __future__ import annotations

import msgspec
import pytest

from bus.messages import Acked, Level
from strategies.trading.accounts import AccountTerms
from strategies.trading.core import Core
from strategies.trading.records import Closed, Executed, Judged, Placed, Record
from strategies.trading.setup import Setup
from tests.strategies.trading.trading_world import (
    SECOND,
    T0,
    acks,
    grant,
    running_core,
    signal,
    tick,
    verdicts,
)

MANUAL = {"approval": "manual", "approval_timeout": 60.0}
LONG = 600_000  # ms, of a signal that a person has time for


def manual(**risk) -> Core:
    return running_core(grant(risk=MANUAL | risk))


def send(core: Core, intent="enter_long", key=1, now=T0, **fields):
    return core.on_signals("d", 1, [signal(intent, key, ttl_ms=LONG, **fields)], now)


def waits(core: Core) -> list[Judged]:
    return core.world.state.pending.everything()


def wait(core: Core, **fields) -> str:
    (ack,) = acks(send(core, **fields))
    assert (ack.decision, ack.rule) == ("pending", "approval_needed")
    return ack.signal_id


def answer(core: Core, signal_id: str, *, approve: bool = True, now: int = T0 + SECOND):
    return core.answer(signal_id, approve=approve, by="alice", remark="ok", now=now)


def decided(outcome) -> list[tuple[str, str]]:
    return [(record.decision, record.rule) for record in outcome.records if type(record) is Judged]


def placed(outcome) -> list[float]:
    return [record.order.quantity for record in outcome.records if type(record) is Placed]


def test_an_entry_waits_and_is_no_order():
    core = manual()
    outcome = send(core)
    assert (decided(outcome), placed(outcome)) == ([("pending", "approval_needed")], [])
    assert outcome.accepted == []
    assert core.on_tick(tick(), T0) is None
    (waiting,) = waits(core)
    assert (waiting.quantity, waiting.until) == (1.0, T0 + 60 * SECOND)


def test_what_is_approved_is_an_order_that_fills():
    core = manual()
    signal_id = wait(core)
    outcome = answer(core, signal_id)
    assert (decided(outcome), placed(outcome)) == ([("accepted", "")], [1.0])
    assert [(one.signal_id, one.seq) for one in outcome.accepted] == [(signal_id, outcome.records[0].seq)]
    (judged,) = outcome.passed
    assert (judged.signal_id, judged.by, judged.remark, judged.pending) == (signal_id, "alice", "ok", 1)
    assert waits(core) == []
    filled = core.on_tick(tick(), T0 + 2 * SECOND)
    assert filled is not None
    assert any(type(record) is Executed for record in filled.records)


def test_the_strategy_is_told_both_verdicts_the_second_by_its_id_alone():
    core = manual()
    (first,) = acks(send(core, key=7))
    (second,) = acks(answer(core, first.signal_id))
    assert (first.decision, first.number, second.decision, second.number) == ("pending", 7, "accepted", 0)
    assert (second.signal_id, second.idempotency_key) == (first.signal_id, first.idempotency_key)


def test_the_instance_after_is_told():
    core = manual()
    signal_id = wait(core)
    core.attach(grant(generation=2, risk=MANUAL))
    core.running("d", 2)
    told = [
        (owner, generation)
        for owner, generation, body in answer(core, signal_id).commands
        if isinstance(body, Acked)
    ]
    assert told == [("d", 2)]


def test_to_approve_twice_is_to_approve_once():
    core = manual()
    signal_id = wait(core)
    assert placed(answer(core, signal_id)) == [1.0]
    assert answer(core, signal_id).records == []
    assert answer(core, signal_id, approve=False).records == []


def test_what_was_rejected_stays_so():
    core = manual()
    signal_id = wait(core)
    outcome = answer(core, signal_id, approve=False)
    assert (decided(outcome), placed(outcome)) == ([("rejected", "approval_denied")], [])
    assert outcome.records[0].detail == "alice refused it: ok"
    assert answer(core, signal_id).records == []


def test_what_waited_too_long_has_lapsed_whoever_approves_it():
    core = manual()
    signal_id = wait(core)
    outcome = answer(core, signal_id, now=T0 + 60 * SECOND)
    assert (decided(outcome), placed(outcome)) == ([("expired", "approval_lapsed")], [])
    assert outcome.records[0].by == ""


@pytest.mark.parametrize(
    ("own", "account", "ttl_ms", "seconds"),
    [
        (MANUAL, {}, LONG, 60),
        ({"approval": "manual"}, {}, LONG, 300),
        (MANUAL, {"approval": "manual", "approval_timeout": 5.0}, LONG, 5),
        ({"approval_timeout": 5.0}, {"approval": "manual"}, LONG, 300),
        (MANUAL, {}, 20_000, 20),
        (MANUAL, {}, None, 15),
    ],
)
def test_it_waits_for_the_shortest_time_of_who_asks_and_of_its_own_life(own, account, ttl_ms, seconds):
    setup = Setup(accounts={"A": AccountTerms(name="A", risk=account)})
    core = running_core(grant(risk=own), setup=setup)
    core.on_signals("d", 1, [signal(ttl_ms=ttl_ms)], T0)
    assert [one.until for one in waits(core)] == [T0 + seconds * SECOND]


@pytest.mark.parametrize("repeated", ["waiting", "approved", "rejected", "lapsed"])
def test_a_repeated_signal_is_a_duplicate_whatever_became_of_it(repeated):
    core = manual()
    signal_id = wait(core)
    if repeated != "waiting":
        late = 60 if repeated == "lapsed" else 1
        answer(core, signal_id, approve=repeated == "approved", now=T0 + late * SECOND)
    assert verdicts(send(core, now=T0 + 61 * SECOND)) == ["duplicate"]


# ---- what never waits -----------------------------------------------------------------------------
def holding(core: Core) -> Core:
    answer(core, wait(core, key=100, quantity=2.0))
    core.on_tick(tick(ts=T0 + SECOND), T0 + SECOND)
    assert core.world.state.books.held("d", "X") == 2.0
    return core


@pytest.mark.parametrize(
    ("intent", "fields"),
    [
        ("exit_long", {}),
        ("exit_all", {}),
        ("exit_long", {"quantity": 1.0}),
        ("target", {"target_quantity": 0.0}),
        ("target", {"target_quantity": 1.0}),
        ("adjust", {"stop_loss": {"kind": "pct", "value": 1.0}}),
    ],
)
def test_what_reduces_or_guards_passes_at_once(intent, fields):
    core = holding(manual())
    fields = {name: _level(value) for name, value in fields.items()}
    outcome = send(core, intent, 2, T0 + 2 * SECOND, **fields)
    assert decided(outcome) == [("accepted", "")]


def _level(value):
    return Level(**value) if isinstance(value, dict) else value


@pytest.mark.parametrize(
    ("intent", "fields"),
    [("enter_long", {}), ("enter_short", {"quantity": 5.0}), ("target", {"target_quantity": -1.0})],
)
def test_what_adds_or_turns_waits(intent, fields):
    core = holding(manual())
    outcome = send(core, intent, 2, T0 + 2 * SECOND, **fields)
    assert decided(outcome) == [("pending", "approval_needed")]


def test_stops_and_latches_ask_nobody():
    core = holding(manual(stop_loss_percentage=5.0))
    stopped = core.on_tick(tick(90.0, ts=T0 + 3 * SECOND), T0 + 3 * SECOND)
    assert stopped is not None
    assert core.world.state.books.held("d", "X") == 0.0
    core = holding(manual())
    flattened = core.latch(("deployment", "d"), "flatten", "drill", "me", T0 + 2 * SECOND)
    assert placed(flattened) == [-2.0]


def test_nobody_is_asked_in_a_backtest():
    core = running_core(grant(risk=MANUAL, trading_mode="backtest"))
    assert decided(send(core)) == [("accepted", "")]


def test_an_account_that_asks_binds_each_of_its_deployments():
    core = running_core(setup=Setup(accounts={"A": AccountTerms(name="A", risk=MANUAL)}))
    assert decided(send(core)) == [("pending", "approval_needed")]


def test_a_word_that_is_none_bars_entries():
    assert verdicts(send(running_core(grant(risk={"approval": "maybe"})))) == ["limit_invalid"]


# ---- judged again ---------------------------------------------------------------------------------
def test_approving_does_not_overrule_a_limit_that_was_reached_meanwhile():
    core = manual(max_position_size=1.0)
    first, second = wait(core, key=1), wait(core, key=2)
    assert placed(answer(core, first)) == [1.0]
    assert decided(answer(core, second)) == [("rejected", "max_position_size")]


def test_nor_a_price_that_moved_away():
    core = manual()
    signal_id = wait(core)
    core.set_price("X", 150.0, T0 + SECOND)
    assert decided(answer(core, signal_id)) == [("rejected", "price_collar")]


def test_nor_a_pause():
    core = manual()
    signal_id = wait(core)
    core.direct("d", 1, "pause", "", exit_only=False)
    assert decided(answer(core, signal_id)) == [("rejected", "paused")]


def test_what_is_approved_without_a_warm_instance_goes_on_waiting():
    core = manual()
    signal_id = wait(core)
    core.detach("d", 1)
    assert answer(core, signal_id).records == []
    core.attach(grant(generation=2, risk=MANUAL))
    assert answer(core, signal_id).records == []
    core.running("d", 2)
    assert placed(answer(core, signal_id)) == [1.0]


def test_what_is_rejected_needs_no_instance():
    core = manual()
    signal_id = wait(core)
    core.detach("d", 1)
    assert decided(answer(core, signal_id, approve=False)) == [("rejected", "approval_denied")]


def test_nor_a_latch_that_a_loss_sets_as_it_is_judged():
    core = holding(manual(max_daily_loss=50.0))
    signal_id = wait(core, key=2, now=T0 + 2 * SECOND)
    core.set_price("X", 60.0, T0 + 3 * SECOND)
    outcome = answer(core, signal_id, now=T0 + 3 * SECOND)
    assert decided(outcome) == [("rejected", "approval_withdrawn")]


@pytest.mark.parametrize("changed", [{"account_id": "B"}, {"trading_mode": "live"}])
def test_what_was_asked_for_another_account_or_mode_is_outdated(changed):
    core = manual()
    signal_id = wait(core)
    core.attach(grant(generation=2, risk=MANUAL, **changed))
    core.running("d", 2)
    assert decided(answer(core, signal_id)) == [("rejected", "approval_outdated")]


def test_an_approved_signal_takes_no_second_token():
    core = running_core(grant(risk=MANUAL, signals_per_s=1))
    signal_id = wait(core)
    assert verdicts(send(core, key=2)) == ["rate"]
    assert decided(answer(core, signal_id, now=T0)) == [("accepted", "")]


def test_a_hundred_that_wait_are_as_many_as_may():
    core = manual()
    ids = [wait(core, key=key) for key in range(1, 101)]
    assert verdicts(send(core, key=101)) == ["open_orders"]
    assert placed(answer(core, ids[0])) == [1.0]


# ---- taken back -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("intent", "fields", "rule"),
    [
        ("cancel", {}, ""),
        ("exit_long", {}, "no_position"),
        ("exit_all", {}, "no_position"),
        ("target", {"target_quantity": 0.0}, "already_at_target"),
    ],
)
def test_who_cancels_or_leaves_takes_back_what_waits(intent, fields, rule):
    core = manual()
    wait(core)
    outcome = send(core, intent, 2, **fields)
    assert decided(outcome)[0] == ("rejected", "approval_withdrawn")
    assert [one for _, one in decided(outcome)[1:]] == [rule]
    assert waits(core) == []


def test_another_target_takes_the_place_of_the_one_before():
    core = manual()
    wait(core, intent="target", target_quantity=3.0)
    second = wait_second(core)
    assert [one.signal_id for one in waits(core)] == [second]


def wait_second(core: Core) -> str:
    outcome = send(core, "target", 2, target_quantity=1.0)
    assert decided(outcome) == [("rejected", "approval_withdrawn"), ("pending", "approval_needed")]
    return acks(outcome)[-1].signal_id


def test_a_cancel_of_one_leg_leaves_the_others_and_other_symbols():
    core = manual()
    wait(core, key=1, leg="a")
    other = wait(core, key=2, leg="b")
    elsewhere = wait(core, key=3, symbol="Y", leg="a")
    assert decided(send(core, "cancel", 4, leg="a")) == [("rejected", "approval_withdrawn"), ("accepted", "")]
    assert [one.signal_id for one in waits(core)] == [other, elsewhere]


def test_an_exit_that_is_refused_for_another_reason_takes_nothing_back():
    core = manual()
    wait(core)
    assert verdicts(core.on_signals("d", 0, [signal("exit_long", 2)], T0)) == []  # fenced out
    core.direct("d", 1, "pause", "", exit_only=False)
    assert verdicts(send(core, "exit_long", 3)) == ["paused"]
    assert len(waits(core)) == 1


@pytest.mark.parametrize("party", [("deployment", "d"), ("account", "A")])
@pytest.mark.parametrize("kind", ["pause", "exit_only", "flatten", "lock"])
def test_every_latch_takes_back_what_waits(party, kind):
    core = manual()
    wait(core)
    assert ("rejected", "approval_withdrawn") in decided(core.latch(party, kind, "drill", "me", T0))
    assert waits(core) == []


def test_a_latch_of_another_takes_nothing_back():
    core = manual()
    wait(core)
    core.latch(("account", "B"), "lock", "drill", "me", T0)
    core.latch(("deployment", "e"), "lock", "drill", "me", T0)
    assert len(waits(core)) == 1


def test_a_deployment_that_is_removed_takes_back_what_waits():
    core = manual()
    wait(core)
    core.detach("d", 1)
    assert decided(core.forget("d", T0)) == [("rejected", "approval_withdrawn")]


# ---- counted and recovered ------------------------------------------------------------------------
def test_it_is_counted_once_when_it_is_decided():
    core = manual()
    first, second = wait(core, key=1), wait(core, key=2)
    assert (core.counts("d").accepted, core.counts("d").rejected) == (0, 0)
    answer(core, first)
    answer(core, second, approve=False)
    assert (core.counts("d").accepted, core.counts("d").rejected) == (1, 1)


def test_another_core_knows_it_from_the_records_and_from_a_snapshot():
    core = manual()
    records = send(core).records
    signal_id = records[0].signal_id
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(records), type=list[Record])
    for again in (read, [core.snapshot()]):
        other = Core()
        other.restore(again)
        assert other.snapshot() == core.snapshot()
        other.attach(grant(risk=MANUAL))
        other.running("d", 1)
        other.set_price("X", 100.0, T0)
        assert placed(answer(other, signal_id)) == [1.0]


def test_an_order_that_was_approved_can_be_cancelled_like_any():
    core = manual()
    answer(core, wait(core, order_type="limit", limit_price=99.0, time_in_force="gtc"))
    outcome = send(core, "cancel", 2)
    assert [type(record) for record in outcome.records] == [Judged, Closed]
