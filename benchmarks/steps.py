"""What each step of a tick, a candle and a signal costs, in decodings of one tick.

    python benchmarks/steps.py [--quick]

Pure code in one process, no socket; CPU time, so that what else runs here is not in it. The yardstick is
``msgspec`` decoding the tick into a plain list, without any type (``decode``): what every consumer of a feed
has to pay before it knows anything. For what ends in the journal it is SQLite in the same mode (WAL, NORMAL)
with one row of 200 bytes a transaction and nothing of ours in it (``row``).
"""

from __future__ import annotations

import gc
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any, TypeAlias

import msgpack
import msgspec

from bus import topics
from bus.candles import SymbolCandles
from bus.feeds import native
from bus.intake import Intake
from bus.messages import Candle, Candles, Pulse, Signal, Tick, Ticks, Welcome, encode
from bus.sessions import always
from bus.timeframes import parse
from ratios import Figure, arguments, interleave, ratio, report
from strategies import IStrategy, StrategyConfig
from strategies.host import Host
from strategies.trading.core import Core, Grant
from supervisor.store.journal import Journal

SYMBOL = "EURUSD"
SIX = ["1s", "5s", "15s", "1m", "5m", "1h"]
MILLISECOND = 1_000_000
MINUTE = 60_000 * MILLISECOND
START = 1_700_000_040_000 * MILLISECOND

POST_EVERY = 20
"""Signals after which the journal's tables follow: what comes in 20 ms at 1,000 a second (engine/loop.py)."""

Step: TypeAlias = tuple[Callable[[Any], object], Iterator[Any]]
"""What is called, and endless arguments for it, one a call; making an argument is not measured."""


class Quiet(IStrategy):
    """Looks at what it is given, as the smallest strategy would."""

    def initialize(self, config: StrategyConfig) -> None:  # noqa: ARG002 - nothing to configure
        """Begin to count."""
        self.seen = 0

    def on_tick(self, data: Any) -> None:
        """Look at the price."""
        self.seen += data.tick.last > 0

    def on_candle_complete(self, timeframe: str, candle: Candle, data: Any) -> None:  # noqa: ARG002 - it is enough
        """Look at the candle."""
        self.seen += candle.close > 0


# ---- arguments ----------------------------------------------------------------------------------------
def ticks() -> Iterator[Tick]:
    """Yield ticks a millisecond apart."""
    for n in count():
        price = 1.085 + (n % 97) * 1e-5
        yield Tick(SYMBOL, START + n * MILLISECOND, price, 1000.0, 1.085, 1.087, 1e5, 1e5, n + 1)


def payloads() -> Iterator[bytes]:
    """Yield them as the feed sends them."""
    return map(encode, ticks())


def candles() -> Iterator[Candles]:
    """Yield closed candles, a minute apart, as the engine publishes them."""
    for n in count():
        opened = START + n * MINUTE
        candle = Candle(SYMBOL, "1m", opened, opened + MINUTE, 1.0, 1.2, 0.9, 1.1, 50.0)
        yield Candles(1, n + 1, opened + MINUTE, [candle])


# ---- steps --------------------------------------------------------------------------------------------
def decode_with(decode: Callable[[bytes], object]) -> Step:
    """Payload in, whatever ``decode`` makes of it out."""
    return decode, payloads()


def take_in() -> Step:
    """Two frames in, a tick out: decoded, new, in order, in time."""
    feed, topic = Intake("bench", "native", max_ahead_s=None), f"tick.{SYMBOL}".encode()
    accept = feed.accept
    return lambda frames: accept(frames, START), ((topic, payload) for payload in payloads())


def publish() -> Step:
    """Encode one tick as the engine sends it."""
    topic = topics.tick(SYMBOL)
    return lambda tick: topic + encode(Ticks(1, tick.seq, [tick])), ticks()


def fold(timeframes: list[str]) -> Step:
    """Fold one tick into candles, and close those that are due."""
    book = SymbolCandles(SYMBOL, [parse(name) for name in timeframes], always())

    def take(tick: Tick) -> None:
        if tick.ts >= book.next_close:
            book.close_due(tick.ts, tick.ts, True)
        book.add(tick)

    return take, ticks()


def host() -> Host:
    """Return a running strategy."""
    config = StrategyConfig(
        strategy_id="bench", account_id="bench", trading_mode="paper", symbols=(SYMBOL,), timeframes=("1m",)
    )
    made = Host(Quiet(), config)
    made.initialize()
    made.handle(Welcome(epoch=1, now=START, warmup=[]))
    return made


def judge(journal: Journal, together: int) -> Step:
    """Judge ``together`` signals, fill each at the next tick, make all of it durable in one commit."""
    core = Core(seed=journal.seed)
    granted = Grant(
        deployment_id="bench",
        generation=1,
        account_id="bench",
        symbols=[SYMBOL],
        timeframes=["1m"],
        signals_per_s=10**6,
    )
    core.attach(granted)
    core.running("bench", 1)
    core.restore(())
    core.on_tick(next(ticks()), START)
    accepted = unposted = 0

    def signals() -> Iterator[list[tuple[Signal, Tick]]]:
        made = zip(count(), islice(ticks(), 1, None))
        while True:
            yield [(signal(n, tick), tick) for n, tick in islice(made, together)]

    def signal(number: int, tick: Tick) -> Signal:
        return Signal(
            symbol=SYMBOL,
            intent="exit_long" if number % 2 else "enter_long",
            quantity=None if number % 2 else 1.0,
            reason="bench",
            timeframe="1m",
            data_key=number + 1,
            data_as_of=tick.ts,
            generated_at=tick.ts,
            reference_price=1.085,
            number=number + 1,
        )

    def act(group: list[tuple[Signal, Tick]]) -> None:
        nonlocal accepted
        for asked, tick in group:
            outcome = core.on_signals("bench", 1, [asked], tick.ts)
            accepted += len(outcome.accepted)
            journal.append(outcome.records)
            filled = core.on_tick(tick, tick.ts)
            if filled is None:
                raise RuntimeError(f"a signal was not accepted: {outcome.commands}")
            journal.append(filled.records)
        journal.commit()
        nonlocal unposted
        unposted += together
        if unposted >= POST_EVERY:
            unposted = 0
            journal.post()

    return act, signals()


def rows(path: Path, stack: ExitStack) -> Step:
    """Commit one row of 200 bytes a transaction."""
    database = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = NORMAL")
    database.execute("CREATE TABLE row (n INTEGER PRIMARY KEY, body BLOB)")
    execute, body = database.execute, bytes(200)

    def insert(number: int) -> None:
        execute("BEGIN")
        execute("INSERT INTO row VALUES (?, ?)", (number, body))
        execute("COMMIT")

    return insert, count(1)


def timed(step: Step, times: int) -> float:
    """Return seconds of CPU a call: what else runs on this machine must not be in it.

    The collector waits meanwhile, as in ``timeit``.
    """
    call, arguments_ = step
    given = list(islice(arguments_, times))
    gc.collect()
    gc.disable()
    began = time.process_time()
    for argument in given:
        call(argument)
    took = time.process_time() - began
    gc.enable()
    return took / times


DECODE = "decode"
ROW = "row"


def main() -> None:
    """Print the table."""
    options = arguments(__doc__ or "", rounds=15, quick=3)
    times = 2_000 if options.quick else 5_000
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        steps = {
            DECODE: decode_with(msgspec.msgpack.Decoder().decode),
            "decode with types and ranges": decode_with(native.decode_tick),
            "msgpack.unpackb of the same payload": decode_with(msgpack.unpackb),
            "Intake.accept: decode, validate, order, time": take_in(),
            "encode for publication": publish(),
            "SymbolCandles: folded into 1 timeframe": fold(["1m"]),
            "SymbolCandles: folded into 6 timeframes": fold(SIX),
            "Host.handle: a tick, with on_tick": (host().handle, (Ticks(1, t.seq, [t]) for t in ticks())),
            "Host.handle: a candle, with on_candle_complete": (host().handle, candles()),
            "Host.handle: a pulse": (host().handle, (Pulse(1, START + n, {}) for n in count())),
        }
        alone, group = (stack.enter_context(Journal.open(Path(name, f"{n}.db"))) for n in (1, 100))
        durable = {
            ROW: rows(Path(name, "bare.db"), stack),
            "signal: gate, fill, journal; one a commit": judge(alone, 1),
            "signal: gate, fill, journal; 100 a commit": judge(group, 100),
        }
        cases = {what: partial(timed, step, times) for what, step in steps.items()}
        cases |= {what: partial(timed, step, times // 50) for what, step in durable.items()}
        interleave(cases, 1)
        values = interleave(cases, options.rounds)
    values["signal: gate, fill, journal; 100 a commit"] = [
        took / 100 for took in values["signal: gate, fill, journal; 100 a commit"]
    ]
    report(options, figures(values, steps, durable), values, "second")


def figures(values: dict[str, list[float]], steps: dict[str, Step], durable: dict[str, Step]) -> list[Figure]:
    """Return every step over its yardstick."""
    lines = [ratio(f"{what} / {DECODE}", values[what], values[DECODE]) for what in steps if what != DECODE]
    lines += [ratio(f"{what} / row", values[what], values[ROW]) for what in durable if what != ROW]
    return lines


if __name__ == "__main__":
    main()
