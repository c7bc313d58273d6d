"""Valid datagrams of every kind, with every field set: what mutation starts from."""

from __future__ import annotations

from bus import messages
from bus.messages import CellStats, Level, Reason, Schedule, Signal, Trail
from sandbox import births, protocol, spec
from strategies.outputs import Fault, LogLine, Recorded

TURN = 12_345_678_901
"""The turn that runs while words are heard: a ``Done`` of the corpus is accepted."""

SIGNAL = Signal(
    symbol="EURUSD", intent="enter_long", reason=Reason("crossed", "fast over slow"), quantity=1.5,
    notional=1e4, target_quantity=-2.0, target_weight=0.25, risk_pct=1.0, order_type="stop_limit",
    limit_price=1.25, stop_price=1.3, time_in_force="gtd", good_till=1_700_000_000_000_000_000,
    stop_loss=Level("pct", 2.0), take_profit=Level("price", 1.5), trailing_stop=Trail("atr", 2.0, 0.5),
    time_stop_s=60.0, reduce_only=True, max_slippage_bps=5.0, oco_group="g", leg="a", ttl_ms=1500,
    confidence=0.5, expected_return=0.01, horizon_s=3600.0, tags={"why": "test", "n": "1"},
    indicators={"sma": 1.25, "rsi": None}, correlation_id="c", parent_signal_id="p", timeframe="1h",
    data_key=1_700_000_000_000_000_000, data_as_of=1_700_000_000_000_000_000, generated_at=1,
    reference_price=1.2, number=7,
)  # fmt: skip

WORDS: tuple[protocol.Word, ...] = (
    protocol.Initialised(),
    protocol.Refused("load", "strategy.py:1: invalid syntax"),
    protocol.Progress("on_candle_complete"),
    protocol.Said([SIGNAL]),
    protocol.Said([Signal(symbol="X", intent="exit_all")] * 40),
    protocol.Updates([LogLine("info", "spread 3\nand more", 5), Recorded("spread", 1.5, 5)]),
    protocol.Updates([Fault("on_tick", "KeyError: 'a'", "Traceback ...", 5), Schedule("close", 5, 60)]),
    protocol.StatePart(b"\x81\xa1a\x01" * 100, 3, more=True),
    protocol.StatePart(b"\x81\xa1a\x01", 3, more=False),
    protocol.Done(TURN, [SIGNAL], [("on_tick", 80_000_000)], 3, 90_000_000, final=False),
    protocol.Done(TURN),
    protocol.GaveUp("5 callbacks in a row raised"),
    protocol.OutOfMemory("on_tick"),
    protocol.AskTime(60.0),
    protocol.Answer(b'{"bias":1.5}'),
    protocol.Answer(why="ValueError: no such symbol"),
)
"""What a strategy says to its warden."""

WARDEN_REPORTS: tuple[spec.WardenReport, ...] = (
    spec.Born(4711, 123_456),
    spec.Ready(0.015),
    spec.LogLines([(1, "out", "one"), (2, "err", "two"), (3, "log", "three")], 4),
    spec.Warned("slow_call", "on_tick took 80 ms"),
    spec.Died(
        "hang", "on_tick ran longer than 2 s", None, 6, "Fatal Python error: Aborted", 2**24, 1.5, "on_tick"
    ),
    spec.TimeLeft(540.0),
)
"""What a warden says to the supervisor."""

CELL_REPORTS: tuple[messages.CellReport, ...] = (
    messages.Hello(),
    messages.Signals([SIGNAL]),
    messages.Checkpoint(b"\x81\xa1a\x01", 1, 7, {"tick|EURUSD|": 9}),
    messages.Beat(CellStats(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, "on_tick")),
    messages.Bye(CellStats()),
    messages.Running({"tick|EURUSD|": 9}),
    Schedule("close", 5, 60),
    messages.CellAnswer(7, "done", b'{"bias":1.5}'),
    messages.CellAnswer(7, "failed", why="ValueError: no such symbol"),
)
"""What a warden says to the engine."""

ZYGOTE_REPORTS: tuple[births.ZygoteReport, ...] = (
    births.Forked(1, 4711),
    births.NotForked(1, "cannot fork: Resource temporarily unavailable"),
    births.Exited(4711, -9),
)
"""What the zygote says to the supervisor, but for ``Awake``, which grows with the layers."""
