import msgspec
import pytest

from bus.messages import Checkpoint, Filled, OrderChanged, Position, Tick
from strategies.trading.caps import MAX_OPEN_ORDERS
from strategies.trading.core import Core
from strategies.trading.desk import LISTED_BURST
from strategies.trading.records import (
    Closed,
    Executed,
    Forgotten,
    Judged,
    Noted,
    Placed,
    Saved,
    Tally,
    Withheld,
)
from strategies.trading.setup import Setup
from strategies.trading.terms import Terms
from tests.strategies.trading.trading_world import (
    SECOND,
    T0,
    acks,
    grant,
    holding,
    running_core,
    signal,
    tick,
    verdicts,
)


def send(core, *signals, now=T0, deployment_id="d", generation=1):
    return core.on_signals(deployment_id, generation, list(signals), now)


# ---- after a crash --------------------------------------------------------------------------------
def test_a_tick_that_is_seen_again_fills_only_what_was_accepted_before_it_came():
    core = running_core()
    core.recall([tick(100.0)], [("X", 7)])
    [_, placed] = send(core, signal()).records
    assert placed.order.after == 7
    # The tick that the strategy answered lies on the tape too, and is handed in anew.
    assert core.see_again(tick(101.0), 7, T0 + 1) is None
    [executed] = core.see_again(tick(102.0), 8, T0 + 2).records
    assert (executed.fill.price, executed.position.quantity) == (102.0, 1.0)
    assert core.see_again(tick(103.0), 9, T0 + 3) is None


def test_seeing_again_what_was_missed_ends_where_never_missing_it_ends():
    ticks = [tick(100.0 + n, ts=T0 + n) for n in range(1, 6)]

    def run(lost_after: int) -> list[Position]:
        core, records = running_core(), []
        for number, each in enumerate(ticks, 1):
            if number == lost_after:  # the engine dies: what it knew and had not journalled is gone
                core = running_core()
                core.restore(records)
                for again, old in enumerate(ticks[:number], 1):
                    if (out := core.see_again(old, again, old.ts)) is not None:
                        records += out.records
                continue
            if (out := core.on_tick(each, each.ts)) is not None:
                records += out.records
            if number == 2:
                records += send(core, signal(key=number), now=each.ts).records
        return core.positions("d")

    expected = run(lost_after=99)
    assert expected[0].average_price == 103.0
    assert [expected] * 3 == [run(lost_after=number) for number in (3, 4, 5)]


def test_a_tick_that_filled_in_part_gives_the_same_volume_only_once():
    setup = Setup(paper=Terms(volume_share=0.5))
    core, records = running_core(setup=setup), []
    records += send(core, signal(quantity=10.0)).records
    some = Tick("X", T0 + 1, last=100.0, size=4.0)
    records += core.on_tick(some, some.ts).records
    again = running_core(setup=setup)
    again.restore(records)
    assert again.see_again(some, 1, some.ts) is None
    assert [2.0] == [position.quantity for position in again.positions("d")]
    more = Tick("X", T0 + 2, last=100.0, size=6.0)
    assert 3.0 == again.see_again(more, 2, more.ts).records[0].fill.quantity


def test_a_tick_whose_numbers_began_anew_fills_what_has_had_a_higher_one():
    core = running_core()
    core.recall([tick(100.0)], [("X", 5000)])
    records = send(core, signal()).records
    again = running_core()  # with another tape: the old one is lost
    again.restore(records)
    assert again.on_tick(tick(101.0), T0 + 1).records


def test_prices_that_are_recalled_are_the_last_prices():
    core = running_core(price=None)
    assert verdicts(send(core, signal())) == ["price_unknown"]
    core.recall([tick(100.0)])
    assert verdicts(send(core, signal(key=2))) == ["accepted"]


# ---- one signal, from request to fill -------------------------------------------------------------
def test_an_accepted_signal_is_recorded_answered_and_sent_out():
    out = send(running_core(), signal(key=5))
    judged, placed = out.records
    assert isinstance(judged, Judged)
    assert isinstance(placed, Placed)
    assert (judged.seq, placed.seq) == (1, 2)
    [ack] = acks(out)
    assert (ack.decision, ack.number, ack.decided_at) == ("accepted", 5, T0)
    [accepted] = out.accepted
    assert accepted.seq == judged.seq
    assert accepted.signal_id == judged.signal_id == ack.signal_id == placed.order.signal_id
    assert accepted.idempotency_key == judged.key == ack.idempotency_key
    assert (accepted.account_id, accepted.strategy, accepted.code_hash, accepted.mode) == (
        "A",
        "s",
        "h",
        "paper",
    )


def test_the_first_tick_afterwards_fills_it_and_the_strategy_is_told_with_its_position():
    core = running_core()
    send(core, signal())
    out = core.on_tick(tick(102.0), T0 + 1)
    [executed] = out.records
    [(deployment_id, generation, body)] = out.commands
    assert isinstance(executed, Executed)
    assert (deployment_id, generation) == ("d", 1)
    assert isinstance(body, Filled)
    assert (body.fill.quantity, body.fill.price, body.fill.at) == (1.0, 102.0, T0 + 1)
    assert body.position == holding("X", 1.0, 102.0, unrealised=0.0)
    assert core.on_tick(tick(103.0), T0 + 2) is None
    assert core.positions("d") == [holding("X", 1.0, 102.0, unrealised=1.0)]


def test_a_tick_that_fills_nothing_is_none_at_once():
    core = running_core()
    assert core.on_tick(tick(), T0) is None
    send(core, signal())
    assert core.on_tick(tick(symbol="Y"), T0) is None


def test_no_fill_happens_at_the_price_that_the_strategy_saw():
    core = running_core()
    core.on_tick(tick(101.0), T0)
    send(core, signal())
    assert core.positions("d") == []


def test_a_round_trip_books_its_profit():
    core = running_core()
    send(core, signal())
    core.on_tick(tick(100.0), T0)
    send(core, signal("exit_long", key=2))
    core.on_tick(tick(104.0), T0)
    assert core.positions("d") == [holding("X", 0.0, 0.0, realised=4.0, unrealised=0.0)]


def test_an_opposite_entry_exits_and_enters_in_one_order():
    core = running_core()
    send(core, signal(quantity=2.0))
    core.on_tick(tick(100.0), T0)
    out = send(core, signal("enter_short", key=2, quantity=3.0))
    assert out.accepted[0].quantity == -5.0
    core.on_tick(tick(110.0), T0)
    assert core.positions("d") == [holding("X", -3.0, 110.0, realised=20.0, unrealised=0.0)]


def test_entry_and_exit_between_two_ticks_end_flat():
    core = running_core()
    out = send(core, signal(), signal("exit_long", key=2))
    assert verdicts(out) == ["accepted", "accepted"]
    core.on_tick(tick(), T0)
    assert [position.quantity for position in core.positions("d")] == [0.0]


def test_a_cancel_takes_back_what_waits_and_nothing_fills():
    core = running_core()
    send(core, signal())
    out = send(core, signal("cancel", key=2))
    assert [type(record) for record in out.records] == [Judged, Closed]
    assert out.records[1].account_id == "A", "its deployment may be another's later"
    assert out.accepted[0].quantity is None
    assert core.on_tick(tick(), T0) is None
    assert core.positions("d") == []


def test_a_cancel_of_one_leg_leaves_the_others_and_says_so_when_there_is_none():
    core = running_core()
    send(core, signal(leg="a"), signal(leg="b", key=2))
    assert verdicts(send(core, signal("cancel", leg="c"))) == ["nothing_to_cancel"]
    assert verdicts(send(core, signal("cancel", leg="a"))) == ["accepted"]
    core.on_tick(tick(), T0)
    assert [position.quantity for position in core.positions("d")] == [1.0]


def test_an_exit_whose_entry_was_cancelled_never_opens_the_other_side():
    core = running_core()
    send(core, signal(leg="in"), signal("exit_long", key=2, leg="out"), signal("cancel", key=3, leg="in"))
    out = core.on_tick(tick(), T0)
    [closed] = out.records
    assert isinstance(closed, Closed)
    assert closed.reason == "nothing_to_reduce"
    [(_, _, told)] = out.commands
    assert isinstance(told, OrderChanged)
    assert (told.order.status, told.order.filled) == ("cancelled", 0.0)
    assert core.positions("d") == []


def test_an_exit_larger_than_what_is_left_when_its_tick_comes_is_cut_to_it():
    core = running_core()
    send(core, signal(quantity=2.0, leg="a"))
    core.on_tick(tick(), T0)
    send(core, signal(key=2, quantity=3.0, leg="b"), signal("exit_long", key=3, leg="c"))
    send(core, signal("cancel", key=4, leg="b"))
    core.on_tick(tick(), T0)
    assert [position.quantity for position in core.positions("d")] == [0.0]


# ---- exactly once ---------------------------------------------------------------------------------
def test_a_repeated_signal_is_a_duplicate_even_of_another_size_and_by_a_later_generation():
    core = running_core()
    send(core, signal())
    core.attach(grant(generation=2))
    core.running("d", 2)
    out = send(core, signal(quantity=7.0), generation=2)
    assert [ack.decision for ack in acks(out)] == ["duplicate"]
    assert (len(out.records), out.accepted) == (1, [])


def test_a_refused_signal_may_be_asked_again_since_nothing_came_of_it():
    core = running_core()
    core.direct("d", 1, "pause", "lunch", exit_only=False)
    assert verdicts(send(core, signal())) == ["paused"]
    core.direct("d", 1, "resume", "", exit_only=False)
    assert verdicts(send(core, signal())) == ["accepted"]


def test_the_same_signal_of_another_deployment_or_leg_is_another_signal():
    core = running_core(grant(), grant("e"))
    assert verdicts(send(core, signal(), signal(leg="b"))) == ["accepted", "accepted"]
    assert verdicts(send(core, signal(), deployment_id="e")) == ["accepted"]


def test_a_key_is_forgotten_only_when_its_own_symbol_has_moved_on_by_its_life():
    core = running_core()
    day = 86_400 * SECOND
    send(core, signal(key=1), signal(key=1, symbol="Y"))
    later = T0 + day + 6 * SECOND
    send(core, signal(key=2, data_as_of=later), now=later)
    repeated = [signal(key=1, data_as_of=later), signal(key=1, symbol="Y", data_as_of=later)]
    assert verdicts(send(core, *repeated, now=later)) == ["accepted", "duplicate"]


# ---- identity and lifecycle -----------------------------------------------------------------------
def test_a_deployment_that_nobody_attached_is_refused_recorded_and_not_answered():
    out = send(Core(), signal())
    assert [record.rule for record in out.records] == ["not_attached"]
    assert out.commands == []


def test_an_instance_is_heard_only_once_it_is_warm():
    core = Core()
    core.attach(grant())
    core.set_price("X", 100.0, T0)
    assert verdicts(send(core, signal())) == ["warming"]
    core.running("d", 1)
    assert verdicts(send(core, signal())) == ["accepted"]


def test_a_replaced_instance_is_fenced_out_and_its_answer_goes_nowhere():
    core = running_core()
    core.attach(grant(generation=2))
    core.running("d", 1)  # too late: this is not the instance any more
    assert verdicts(send(core, signal(), generation=2)) == ["warming"]
    out = send(core, signal(), generation=1)
    assert [record.rule for record in out.records] == ["stale_generation"]
    assert out.commands == []


def test_commands_for_an_older_generation_change_nothing():
    core = running_core(grant(generation=2))
    core.direct("d", 1, "pause", "", exit_only=False)
    core.detach("d", 1)
    core.attach(grant(generation=1))
    assert verdicts(send(core, signal(), generation=2)) == ["accepted"]


def test_a_detached_instance_is_refused_but_its_order_still_fills():
    core = running_core()
    send(core, signal())
    core.detach("d", 1)
    assert [record.rule for record in send(core, signal(key=2)).records] == ["not_attached"]
    out = core.on_tick(tick(), T0)
    assert [type(record) for record in out.records] == [Executed]
    assert out.commands == []
    assert core.positions("d")[0].quantity == 1.0


def test_exit_only_lets_exits_through_at_once():
    core = running_core()
    send(core, signal())
    core.on_tick(tick(), T0)
    core.direct("d", 1, "pause", "risk", exit_only=True)
    assert verdicts(send(core, signal(key=2), signal("exit_long", key=3))) == ["exit_only", "accepted"]


def test_pause_of_an_instance_that_is_not_warm_yet_still_holds_when_it_is():
    core = Core()
    core.attach(grant())
    core.set_price("X", 100.0, T0)
    core.direct("d", 1, "pause", "", exit_only=False)
    core.running("d", 1)
    assert verdicts(send(core, signal())) == ["paused"]


# ---- rates and floods -----------------------------------------------------------------------------
def test_more_signals_than_granted_are_refused_and_a_second_later_taken_again():
    core = running_core(grant(signals_per_s=3))
    keys = range(20)
    assert verdicts(send(core, *(signal(key=k) for k in keys))) == ["accepted"] * 3 + ["rate"] * 17
    later = [signal(key=k) for k in range(30, 34)]
    assert verdicts(send(core, *later, now=T0 + SECOND)) == ["accepted"] * 3 + ["rate"]


def test_signals_refused_before_the_rate_is_asked_use_none_of_it():
    core = running_core(grant(signals_per_s=1))
    bad = [signal(key=k, symbol="Z") for k in range(5)]
    assert verdicts(send(core, *bad, signal(key=9))) == ["symbol_not_granted"] * 5 + ["accepted"]


def test_a_flood_of_refusals_is_counted_whole_and_listed_in_part():
    core = running_core()
    send(core, *(signal(key=k, symbol="Z") for k in range(LISTED_BURST)))
    flood = send(core, *(signal(key=k, symbol="Z") for k in range(500)), now=T0)
    summed = [record for record in flood.records if isinstance(record, Withheld)]
    told = [(record.rule, record.count, record.account_id) for record in summed]
    assert told == [("symbol_not_granted", 500, "A")]
    assert acks(flood) == []
    assert [kind for kind, _, _ in flood.events] == ["signal_flood"]
    assert core.counts("d") == Tally("d", rejected=LISTED_BURST + 500)


def test_an_endless_flood_writes_once_a_second_whatever_its_speed():
    core = running_core()
    bad = [signal(key=k, symbol="Z") for k in range(LISTED_BURST)]
    send(core, *bad)
    written = sum(len(send(core, *bad[:10], now=T0 + i).records) for i in range(1000))
    assert written <= 4
    assert core.counts("d").rejected == LISTED_BURST + 10_000
    assert [type(record) for record in core.pulse(T0 + 1).records] == [Withheld, Noted]
    assert core.counts("d").rejected == LISTED_BURST + 10_000
    assert core.pulse(T0 + 2).records == []


def test_a_flood_of_one_deployment_takes_nothing_from_another():
    core = running_core(grant(), grant("e"))
    for _ in range(3):
        send(core, *(signal(key=k, symbol="Z") for k in range(1000)))
    assert verdicts(send(core, signal(), signal(key=2, symbol="Z"), deployment_id="e")) == [
        "accepted", "symbol_not_granted",
    ]  # fmt: skip


def test_an_accepted_signal_is_always_listed_even_in_a_flood():
    core = running_core()
    send(core, *(signal(key=k, symbol="Z") for k in range(LISTED_BURST + 10)))
    assert verdicts(send(core, signal())) == ["accepted"]


# ---- limits through the whole core ----------------------------------------------------------------
def test_orders_that_wait_count_towards_the_largest_position():
    core = running_core(grant(risk={"max_position_size": 2.0}))
    keys = [signal(key=k) for k in range(3)]
    assert verdicts(send(core, *keys)) == ["accepted", "accepted", "max_position_size"]


def test_without_any_price_entries_are_refused_and_exits_are_not():
    core = running_core()
    send(core, signal())
    core.on_tick(tick(), T0)
    core.set_price("X", None, T0)
    assert verdicts(send(core, signal(key=2), signal("exit_long", key=3))) == ["price_unknown", "accepted"]
    assert core.positions("d")[0].unrealised is None


def test_only_so_many_orders_of_a_symbol_may_wait_for_its_tick():
    core = running_core()
    send(core, *(signal(key=k, leg=str(k)) for k in range(MAX_OPEN_ORDERS)))
    more = [signal(key=900, leg="more"), signal(key=901, symbol="Y")]
    assert verdicts(send(core, *more)) == ["open_orders", "accepted"]
    core.on_tick(tick(), T0)
    assert verdicts(send(core, signal(key=902))) == ["accepted"]


# ---- checkpoints, forgetting ----------------------------------------------------------------------
CHECKPOINT = Checkpoint(b"state", 1, 7, {"tick|X|": 3})


def test_a_checkpoint_is_recorded_behind_the_signals_before_it():
    core = running_core()
    first = send(core, signal()).records
    [saved] = core.on_checkpoint("d", 1, CHECKPOINT, T0).records
    assert isinstance(saved, Saved)
    assert (saved.seq, saved.checkpoint) == (first[-1].seq + 1, CHECKPOINT)


def test_a_checkpoint_of_a_replaced_instance_is_not_kept():
    core = running_core(grant(generation=2))
    out = core.on_checkpoint("d", 1, CHECKPOINT, T0)
    assert [type(record) for record in out.records] == [Noted]
    assert out.events == [("stale_checkpoint", "of generation 1: not kept", "d")]


def test_a_removed_deployment_loses_orders_and_counts_but_not_what_it_holds():
    core = running_core()
    send(core, signal(), signal(key=2, symbol="Y"))
    core.on_tick(tick(), T0)
    out = core.forget("d", T0)
    assert [type(record) for record in out.records] == [Closed, Forgotten]
    assert core.counts("d") == Tally("d")
    assert [position.symbol for position in core.positions("d")] == ["X"]
    core.attach(grant(generation=1))  # a new deployment may count its generations from one
    core.running("d", 1)
    assert verdicts(send(core, signal(), signal(key=3))) == ["duplicate", "accepted"]


def test_an_exit_that_the_engine_ordered_goes_on_though_its_deployment_is_removed():
    core = running_core()
    send(core, signal())
    core.on_tick(tick(), T0)
    core.latch(("deployment", "d"), "flatten", "enough", "me", T0 + 2)
    core.forget("d", T0 + 3)
    core.on_tick(tick(ts=T0 + 4), T0 + 4)
    assert [0.0] == [position.quantity for position in core.positions("d")]


def test_two_writers_of_one_journal_are_noticed():
    core = Core()
    record = send(running_core(), signal()).records[0]
    core.restore([record])
    with pytest.raises(ValueError, match="record 1 after record 1"):
        core.restore([record])


def test_every_record_survives_its_encoding():
    core = running_core()
    records = send(core, signal(), signal(symbol="Z")).records
    records += core.on_tick(tick(), T0).records + core.on_checkpoint("d", 1, CHECKPOINT, T0).records
    for record in records:
        encoded = msgspec.msgpack.encode(record)
        assert msgspec.msgpack.decode(encoded, type=type(record)) == record
