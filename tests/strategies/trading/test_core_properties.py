"""Any stream of signals, ticks and commands: replay is byte-equal, the journal is enough, limits hold."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies.trading.books import after
from strategies.trading.core import Core
from strategies.trading.records import Executed, Placed
from tests.strategies.trading.trading_world import SECOND, T0, grant, signal, tick

LIMIT = 5.0
DEPLOYMENTS = ("d", "e")

SIGNALS = st.fixed_dictionaries(
    {
        "intent": st.sampled_from(
            [
                "enter_long",
                "enter_short",
                "enter_long",
                "exit_long",
                "exit_short",
                "exit_all",
                "target",
                "cancel",
            ]
        ),
        "key": st.integers(1, 30),
        "symbol": st.sampled_from(["X", "Y", "X", "Y", "Z"]),
        "size": st.floats(0.01, 4),
        "leg": st.sampled_from(["", "a"]),
        "age": st.sampled_from([0, 0, 0, 5, 40]),
    }
)
SEND = st.tuples(
    st.just("signals"),
    st.sampled_from(DEPLOYMENTS),
    st.sampled_from([1, 1, 1, 2]),
    st.lists(SIGNALS, min_size=1, max_size=4),
)
TICK = st.tuples(st.just("tick"), st.sampled_from(["X", "Y"]), st.floats(98, 102), st.integers(-1, 2))
DIRECT = st.tuples(
    st.just("direct"),
    st.sampled_from(DEPLOYMENTS),
    st.sampled_from(["pause", "resume", "resume", "stop"]),
    st.booleans(),
)
ATTACH = st.tuples(st.just("attach"), st.sampled_from(DEPLOYMENTS), st.integers(1, 2), st.booleans())
# Mostly signals and ticks: a stream that is paused or fenced most of the time would prove little.
STEPS = st.integers(0, 19).flatmap(
    lambda n: SEND if n < 10 else TICK if n < 17 else (DIRECT, ATTACH, st.just(("pulse",)))[n - 17]
)


def made(fields, now):
    fields = dict(fields)
    intent, size, age = fields["intent"], fields.pop("size"), fields.pop("age")
    if intent.startswith("enter"):
        fields["quantity"] = size
    elif intent == "target":
        fields["target_quantity"] = size - 2
    return signal(**fields, data_as_of=now - age * SECOND)


def live(steps, seed=3):
    """Drive a core through ``steps``, a second apart; return it, its records, and all of its outputs."""
    core, records, outputs = Core(seed=seed), [], []
    for index, step in enumerate(steps):
        now = T0 + index * SECOND
        out = None
        match step:
            case ("signals", who, generation, asked):
                out = core.on_signals(who, generation, [made(fields, now) for fields in asked], now)
            case ("tick", symbol, price, late):
                out = core.on_tick(tick(price, symbol, now - late * SECOND), now)
            case ("direct", who, verb, exit_only):
                core.direct(who, 1, verb, "", exit_only)
            case ("attach", who, generation, warm):
                core.attach(grant(who, generation, risk={"max_position_size": LIMIT}, signals_per_s=4))
                if warm:
                    core.running(who, generation)
            case ("pulse",):
                out = core.pulse(now)
        if out is not None:
            records += out.records
            outputs.append(msgspec.msgpack.encode(out))
    records += core.pulse(T0 + len(steps) * SECOND).records
    return core, records, outputs


WARM = [("attach", who, 1, True) for who in DEPLOYMENTS] + [("tick", s, 100.0, 0) for s in ("X", "Y")]
STREAMS = st.lists(STEPS, min_size=10, max_size=50).map(lambda steps: WARM + steps)


@settings(max_examples=60)
@given(STREAMS)
def test_the_same_inputs_give_the_same_outputs_byte_for_byte(steps):
    assert live(steps)[2] == live(steps)[2]


@settings(max_examples=60)
@given(STREAMS, st.integers(0, 100))
def test_restoring_the_records_gives_the_state_that_was_lived(steps, cut):
    lived, records, _ = live(steps)
    restored = Core()
    restored.restore(records)
    assert restored.snapshot() == lived.snapshot()
    assert [record.seq for record in records] == list(range(1, len(records) + 1))

    # A snapshot anywhere in between stands for everything before it.
    cut = min(cut, len(records))
    early, late = Core(), Core()
    early.restore(records[:cut])
    late.restore([early.snapshot(), *records[cut:]])
    assert late.snapshot() == lived.snapshot()


@settings(max_examples=60)
@given(STREAMS)
def test_no_stream_of_inputs_takes_a_position_beyond_its_limit(steps):
    for record in live(steps)[1]:
        if isinstance(record, Executed):
            assert abs(record.position.quantity) <= LIMIT * (1 + 1e-9)


@settings(max_examples=60)
@given(STREAMS)
def test_the_books_are_the_fills_and_no_order_fills_twice_or_from_nowhere(steps):
    core, records, _ = live(steps)
    placed = {record.order.order_id: record for record in records if isinstance(record, Placed)}
    executed = [record for record in records if isinstance(record, Executed)]
    assert len({record.order_id for record in executed}) == len(executed)
    positions = {}
    for record in executed:
        fill = record.fill
        order = placed.pop(record.order_id)
        assert order.seq < record.seq
        assert abs(fill.quantity) <= abs(order.order.quantity)
        owner = (fill.deployment_id, fill.symbol)
        before = positions.get(owner) or msgspec.structs.replace(
            record.position, quantity=0.0, average_price=0.0, realised=0.0, fees=0.0, trip=0.0
        )
        positions[owner] = after(before, fill.quantity, fill.price, fill.fee)
        # First in, first out is another split of the same money: its own tests recompute it.
        fifo = record.position.fifo_realised
        positions[owner] = msgspec.structs.replace(positions[owner], fifo_realised=fifo)
        assert positions[owner] == record.position
    assert core.snapshot().positions == [positions[owner] for owner in sorted(positions)]


@settings(max_examples=40)
@given(STREAMS)
def test_a_core_that_is_restored_half_way_answers_repeated_signals_as_duplicates(steps):
    _, records, _ = live(steps)
    again = Core()
    again.restore(records)
    accepted = [r for r in records if getattr(r, "decision", "") in {"accepted", "modified"}]
    for who in DEPLOYMENTS:
        again.attach(grant(who, 9, signals_per_s=1000))
        again.running(who, 9)
    for judged in accepted:
        out = again.on_signals(judged.deployment_id, 9, [judged.signal], judged.at)
        assert [record.decision for record in out.records] == ["duplicate"]
        assert out.accepted == []
