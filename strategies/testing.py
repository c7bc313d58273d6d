"""A bench for one strategy: candles and ticks in, signals and trades out. Part of the product, for authors.

::

    bench = Bench.of(Path("my_strategy"), symbols=["EURUSD"], timeframes=["1h"], parameters={"lookback": 3})
    signals = bench.candles("1h", [1.0, 1.1, 1.2, 1.3])

It drives the same host as the daemon. ``fill=True`` also plays a broker that fills every signal whole, at
the open of the next candle of its symbol: enough to try entries and exits, no judge of what they earn.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Struct

from bus.messages import (
    Acked,
    Candle,
    Candles,
    Commanded,
    Fill,
    Filled,
    Inspect,
    OrderChanged,
    OrderUpdate,
    Position,
    Signal,
    SignalAck,
    Tick,
    Ticks,
    TimerFired,
    Welcome,
)
from bus.session_phases import NAMES, Name, Phase
from bus.timeframes import DAY, parse
from strategies import json_values, plugins
from strategies.api import IStrategy, find_strategy_class
from strategies.config import RiskConfig, StrategyConfig
from strategies.errors import StrategyError
from strategies.host import Host
from strategies.outputs import Answered, Fault, LogLine, Update
from strategies.phases import Event
from strategies.stamping import is_exit

START = 1_704_067_200_000_000_000
"""2024-01-01T00:00Z: where generated candles begin."""


class Trade(Struct, frozen=True):
    """One execution of the bench's broker: signed ``quantity``, event time ``at`` in ns."""

    at: int
    symbol: str
    quantity: float
    price: float
    reason: str


class Bench:
    """One strategy, started. What it raises in a callback is raised here, not counted."""

    def __init__(
        self,
        strategy: IStrategy,
        config: StrategyConfig,
        *,
        warmup: Sequence[Candle] = (),
        seed: int = 0,
        fill: bool = False,
    ) -> None:
        self.strategy = strategy
        self.signals: list[Signal] = []
        self.trades: list[Trade] = []
        self.logs: list[str] = []
        self.updates: list[Update] = []
        self._fill = fill
        self._waiting: list[Signal] = []
        self._held: dict[str, float] = {}
        self._seq = 0
        self._next: dict[str, int] = {}
        self.host = Host(strategy, config, seed=seed, update=self._hear, errors_in_a_row=1)
        self.host.initialize()
        self.host.handle(Welcome(epoch=1, now=START, warmup=list(warmup)))

    @classmethod
    def of(
        cls,
        source: type[IStrategy] | str | Path,
        *,
        symbols: Sequence[str] = ("TEST",),
        timeframes: Sequence[str] = ("1m",),
        parameters: Mapping[str, Any] | None = None,
        risk: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Bench:
        """Start a class, or the strategy in a folder with its parameters checked against its schema."""
        kind, given = source, dict(parameters or {})
        if not isinstance(kind, type):
            plugin = plugins.inspect(kind)
            if isinstance(plugin, plugins.Broken):
                raise StrategyError(f"{plugin.path}: {'; '.join(map(str, plugin.errors))}")
            given = plugin.schema.effective(given) if plugin.schema is not None else given
            kind = load_class(plugin)
        config = StrategyConfig(
            strategy_id="bench",
            account_id="bench",
            trading_mode="backtest",
            symbols=tuple(symbols),
            timeframes=tuple(timeframes),
            parameters=given,
            risk_management=RiskConfig.from_mapping(risk or {}),
        )
        return cls(kind(), config, **options)

    def send(self, event: Event) -> list[Signal]:
        """Hand any event to the strategy; return its signals."""
        signals = self.host.handle(event)
        self.signals += signals
        if self._fill:
            for signal in signals:
                self._accept(signal)
        return signals

    def candle(self, *candles: Candle) -> list[Signal]:
        """Close candles of one symbol at one instant; return the signals."""
        symbol = candles[0].symbol
        if self._fill:
            self._fill_at(min(candles, key=lambda c: parse(c.timeframe)), symbol)
        self._seq += 1
        return self.send(Candles(1, self._seq, max(c.close_time for c in candles), list(candles)))

    def candles(
        self, timeframe: str, closes: Iterable[float | tuple[float, float, float, float]], symbol: str = ""
    ) -> list[Signal]:
        """Close one candle after another; each a close, or (open, high, low, close). Return all signals."""
        name = symbol or self.host.config.symbols[0]
        frame = parse(timeframe)
        span = frame.span or {"d": DAY, "w": 7 * DAY, "M": 30 * DAY}[frame.unit] * frame.count
        signals = []
        for prices in closes:
            o, h, l, c = prices if isinstance(prices, tuple) else (prices,) * 4  # noqa: E741 (ohlc)
            at = self._next.get(f"{name} {timeframe}", START)
            self._next[f"{name} {timeframe}"] = at + span
            signals += self.candle(Candle(name, frame.id, at, at + span, o, h, l, c, 1.0, trades=1))
        return signals

    def tick(self, price: float, symbol: str = "", *, at: int | None = None) -> list[Signal]:
        """Trade once at ``price``, one second after the event before (or ``at``); return the signals."""
        name = symbol or self.host.config.symbols[0]
        self._seq += 1
        ts = self.host.now + 1_000_000_000 if at is None else at
        return self.send(Ticks(1, self._seq, [Tick(name, ts, last=price, size=1.0, seq=self._seq)]))

    def session(self, phase: Name, day: date, *, at: int | None = None) -> list[Signal]:
        """Tell a phase of a trading day, a second after the event before (or ``at``); return the signals."""
        ts = self.host.now + 1_000_000_000 if at is None else at
        return self.send(TimerFired(Phase(ts, day.isoformat(), NAMES.index(phase)).timer, ts))

    def command(self, name: str, payload: json_values.Json = None) -> json_values.Json:
        """Tell an operator's command and return the answer; ``StrategyError`` is the line of a refusal."""
        return self._ask(Commanded(name, json_values.pack(payload, "payload"), 1))

    def inspect(self) -> json_values.Json:
        """Return what the strategy shows of itself; ``StrategyError`` as of ``command``."""
        return self._ask(Inspect(1))

    def _ask(self, question: Commanded | Inspect) -> json_values.Json:
        self.send(question)
        answer = next(one for one in reversed(self.updates) if isinstance(one, Answered))
        if answer.why:
            raise StrategyError(answer.why)
        return json_values.unpack(answer.data, "the answer")

    # ---- the broker -------------------------------------------------------------------------------
    def _accept(self, signal: Signal) -> None:
        self._waiting.append(signal)
        ack = SignalAck(str(signal.number), "accepted", signal_id=f"s{signal.number}", number=signal.number)
        self.send(Acked(ack))
        placed = OrderUpdate(
            order_id=f"o{signal.number}",
            signal_id=f"s{signal.number}",
            symbol=signal.symbol,
            status="working",
            at=self.host.now,
        )
        if signal.intent not in {"cancel", "adjust"}:
            self.send(OrderChanged(placed))

    def _fill_at(self, candle: Candle, symbol: str) -> None:
        due = [signal for signal in self._waiting if signal.symbol == symbol]
        self._waiting = [signal for signal in self._waiting if signal.symbol != symbol]
        for signal in due:
            held = self._held.get(symbol, 0.0)
            quantity = _quantity(signal, held)
            if not quantity:
                continue
            self._held[symbol] = held + quantity
            reason = signal.reason if isinstance(signal.reason, str) else signal.reason.code
            self.trades.append(Trade(candle.open_time, symbol, quantity, candle.open, reason))
            fill = Fill(
                fill_id=f"f{len(self.trades)}",
                signal_id=f"s{signal.number}",
                deployment_id="bench",
                account_id="bench",
                symbol=symbol,
                quantity=quantity,
                price=candle.open,
                fee=0.0,
                at=candle.open_time,
                order_id=f"o{signal.number}",
            )
            position = Position("bench", symbol, held + quantity, candle.open if held + quantity else 0.0)
            self.send(Filled(fill, position, filled=quantity))

    def _hear(self, update: Update) -> None:
        self.updates.append(update)
        if isinstance(update, LogLine):
            self.logs.append(f"{update.level}: {update.text}")
        elif isinstance(update, Fault):
            self.logs.append(f"fault: {update.callback}: {update.error}")


def load_class(plugin: plugins.Found) -> type[IStrategy]:
    """Import the code of a strategy **into this process**: for an author's own tests, never in the daemon."""
    path = Path(plugin.path)
    path = path / plugins.CODE if path.is_dir() else path
    name = f"_strategy_under_test.{plugin.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StrategyError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return find_strategy_class(module, plugin.class_name or None)


def _quantity(signal: Signal, held: float) -> float:
    """Return the signed quantity of a signal's order; an exit closes what is held, or ``quantity`` of it."""
    if is_exit(signal):
        side = {"exit_long": held > 0, "exit_short": held < 0}.get(signal.intent, True)
        size = min(abs(held), signal.quantity or abs(held))
        return 0.0 if not side else -size if held > 0 else size
    if signal.quantity is None or signal.intent not in {"enter_long", "enter_short"}:
        raise StrategyError(f"the bench fills entries with a quantity, and exits; not {signal.intent}")
    return signal.quantity if signal.intent == "enter_long" else -signal.quantity
