"""One verdict of the gate, beside decoding the same signal.

    python benchmarks/gate.py [--quick]

``judge`` in one process, each call timed by itself, on a view that is ready: a market entry that nothing
limits; an exit; an entry as they usually are (a stop and a target in percent, size, worth, loss and orders of
the day limited for the deployment, loss and drawdown for its account); and the longest way there is: a
stop-limit order sized by its ATR stop, with target and trail, in lots, in sessions, under every limit of the
risk configuration twice, all of them held, or only the last one not. The yardstick is ``msgspec`` decoding
that signal from its bytes into its type, which the engine pays before. What is wanted is an amount: at most
15 us a signal at the median. The longest way is for information.
"""

from __future__ import annotations

import gc
import time
from array import array
from functools import partial
from statistics import quantiles

import msgspec
from msgspec.structs import replace

from bus.messages import Level, Reason, Signal, Trail, encode
from ratios import amount, arguments, interleave, ratio, report
from strategies.trading.desk import Standing
from strategies.trading.figures import Figures
from strategies.trading.gate import judge
from strategies.trading.instruments import Instrument
from strategies.trading.limits import Limits
from strategies.trading.view import Party, Session, View

NOW = 1_700_000_000_000_000_000
WANTED_US = 15

ENTRY = Signal(
    symbol="EURUSD",
    intent="enter_long",
    quantity=1.0,
    reason="cross",
    timeframe="1m",
    data_key=NOW,
    data_as_of=NOW,
    generated_at=NOW,
    reference_price=100.0,
    number=1,
)
EXIT = replace(ENTRY, intent="exit_long", quantity=None)
EVERYTHING = replace(
    ENTRY,
    reason=Reason("cross", "fast crossed slow from below"),
    quantity=None,
    risk_pct=0.5,
    order_type="stop_limit",
    stop_price=101.0,
    limit_price=101.5,
    stop_loss=Level("atr", 2.0),
    take_profit=Level("pct", 4.0),
    trailing_stop=Trail("ticks", 300.0, 100.0),
    time_stop_s=3600.0,
    indicators={"atr": 0.8, "fast": 100.4, "slow": 100.1},
    tags={"regime": "calm", "session": "london"},
    confidence=0.7,
)
RISK = {
    "max_position_size": 500, "max_notional": 90_000, "max_exposure": 95_000, "max_open_positions": 5,
    "max_orders_per_min": 60, "max_orders_per_day": 1000, "max_identical_orders_per_min": 10,
    "max_daily_loss": 5000, "max_daily_loss_percentage": 5, "max_drawdown": 10, "daily_profit_lock": 9000,
    "stop_loss_percentage": 3, "take_profit_percentage": 6, "trailing_stop_percentage": 4,
    "trailing_stop_activation": 1, "time_stop": 7200, "cooldown_after_loss": 3, "cooldown_after_loss_s": 600,
    "cooling_off_after_stop": 300, "allowed_sessions": ["08:00-17:00"], "square_off_at": "17:30",
}  # fmt: skip
USUAL = replace(ENTRY, stop_loss=Level("pct", 2.0), take_profit=Level("pct", 4.0))
FIGURES = Figures(scope="account", name="A", day="d", start_equity=100_000.0, peak_equity=101_000.0, orders=7)
LIMITED = Party(limits=Limits.of(RISK), elsewhere=1000.0, open_elsewhere=1, equity=99_000.0, figures=FIGURES)
FREE = View(
    standing=Standing.OPEN,
    current=True,
    warm=True,
    duplicate=False,
    symbols=frozenset({"EURUSD", "GBPUSD"}),
    timeframes=frozenset({"1m", "5m"}),
    mode="paper",
    own=Party(),
    price=100.0,
)
BOUND = replace(
    FREE,
    own=LIMITED,
    account=LIMITED,
    instrument=Instrument(symbol="EURUSD", tick_size=0.01, lot_size=1.0, min_quantity=1.0),
    session=Session(closes_at=NOW + 10**13, minute=600, square_off_at=NOW + 10**12),
)
OWN = {
    "max_position_size": 500, "max_notional": 90_000, "max_daily_loss": 5000, "max_orders_per_day": 1000,
    "stop_loss_percentage": 3,
}  # fmt: skip
ACCOUNT = {"max_daily_loss_percentage": 5, "max_drawdown": 10}
LIKE_MOST = replace(
    BOUND, own=replace(LIMITED, limits=Limits.of(OWN)), account=replace(LIMITED, limits=Limits.of(ACCOUNT))
)
BROKE = replace(BOUND, account=replace(LIMITED, equity=90_000.0))
HELD = replace(BOUND, own=replace(LIMITED, held=10.0))

WANTED = f"<= {WANTED_US}"
CASES: dict[str, tuple[Signal, View, str, str]] = {
    "exit": (EXIT, HELD, "accepted", WANTED),
    "entry that nothing limits": (ENTRY, FREE, "accepted", WANTED),
    "entry with a bracket, within usual limits": (USUAL, LIKE_MOST, "accepted", WANTED),
    "longest way": (EVERYTHING, BOUND, "modified", ""),
    "longest way, refused by the last limit": (EVERYTHING, BROKE, "rejected", ""),
}


def judged(signal: Signal, view: View, times: int) -> float:
    """Return the median seconds of a verdict."""
    clock, took = time.perf_counter_ns, array("q", bytes(8 * times))
    gc.collect()
    gc.disable()
    for number in range(times):
        began = clock()
        judge(signal, view, NOW)
        took[number] = clock() - began
    gc.enable()
    return quantiles(took, n=2)[0] / 1e9


def decoded(payload: bytes, times: int) -> float:
    """Return the median seconds of decoding a signal into its type."""
    clock, took = time.perf_counter_ns, array("q", bytes(8 * times))
    decode = msgspec.msgpack.Decoder(Signal).decode
    gc.collect()
    gc.disable()
    for number in range(times):
        began = clock()
        decode(payload)
        took[number] = clock() - began
    gc.enable()
    return quantiles(took, n=2)[0] / 1e9


def main() -> None:
    """Print the table."""
    options = arguments(__doc__ or "", rounds=15, quick=3)
    times = 2_000 if options.quick else 10_000
    for name, (signal, view, decision, _) in CASES.items():
        verdict = judge(signal, view, NOW)
        if verdict.decision != decision:
            raise RuntimeError(f"{name}: {verdict}")
    cases = {f"judge: {name}": partial(judged, s, v, times) for name, (s, v, _, _) in CASES.items()}
    cases |= {f"decode: {name}": partial(decoded, encode(s), times) for name, (s, _, _, _) in CASES.items()}
    interleave(cases, 1)
    values = interleave(cases, options.rounds)
    lines = []
    for name, (_, _, _, wanted) in CASES.items():
        ours, yardstick = values[f"judge: {name}"], values[f"decode: {name}"]
        lines.append(amount(name, [took * 1e6 for took in ours], "us", wanted))
        lines.append(ratio(f"{name} / decoding it", ours, yardstick))
    report(options, lines, values, "second")


if __name__ == "__main__":
    main()
