"""The strategy interface: four methods, and everything else optional.

The signatures are fixed. A strategy returns what it wants, a ``Signal``, several or None; it never sends
anything, opens nothing and keeps no clock: time is ``ctx.now``. All callbacks run one after the other, in
one thread, in the order in which the engine published.
"""

# ruff: noqa: ARG002, B027  (a default that does nothing is the point of every optional method here)
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date
from types import FunctionType, ModuleType
from typing import Any, ClassVar, Final, Literal, TypeAlias

from msgspec import Struct

from bus.messages import Candle, FeedStatus, Fill, OrderUpdate, Position, Signal, SignalAck
from strategies.books import ClosedTrade
from strategies.config import StrategyConfig
from strategies.context import Context
from strategies.data import MultiTimeframeData
from strategies.errors import NoStrategyClass

CO_VARARGS: Final = 4
"""Flag of a code object that takes ``*args`` (docs of the inspect module)."""

SignalReturn: TypeAlias = Signal | Sequence[Signal] | None
JsonValue: TypeAlias = Any
"""None, bool, int, float, str, and lists and string-keyed dicts of these."""


class StopReason(Struct, frozen=True):
    """Why the deployment stops; signals that ``on_stop`` returns count only if ``ask``."""

    text: str
    ask: bool = False

    def __str__(self) -> str:
        return self.text


class IStrategy(ABC):
    """What every strategy is. ``ctx`` is there from just before ``initialize`` on."""

    state_version: ClassVar[int] = 1
    """Raise it when ``save_state`` changes its shape; ``load_state`` is told the version it gets."""

    ctx: Context

    # ---- the four ---------------------------------------------------------------------------------
    @abstractmethod
    def initialize(self, config: StrategyConfig) -> None:
        """Read ``config``. No market data yet, no signals. Raising here refuses the configuration."""

    def on_tick(self, data: MultiTimeframeData) -> SignalReturn:
        """Answer a tick, ``data.tick`` of ``data.symbol``. Not defining this saves its cost."""
        return None

    @abstractmethod
    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> SignalReturn:
        """Answer a closed candle; ``data`` shows every timeframe that closed at the same instant."""

    def cleanup(self) -> None:
        """Let go of everything. Called on every orderly end, with 5 s to finish."""

    # ---- state ------------------------------------------------------------------------------------
    def save_state(self) -> Mapping[str, JsonValue | bytes]:
        """Return what a restart needs and warm-up candles do not rebuild; at most 1 MiB packed."""
        return {}

    def load_state(self, state: Mapping[str, Any], version: int) -> None:
        """Take back what ``save_state`` returned, before warm-up; may raise ``StateIncompatible``."""

    # ---- life -------------------------------------------------------------------------------------
    def on_warmup_candle(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        """Learn from a candle of the past; by default as from a live one, with its signals dropped."""
        self.on_candle_complete(timeframe, candle, data)

    def on_start(self, ctx: Context, recovered: bool) -> None:
        """Warm: from now on signals count. ``recovered`` tells a restart from a first start."""

    def on_pause(self, reason: str) -> None:
        """Signals are barred from now on, or all but exits; data may keep flowing."""

    def on_resume(self) -> None:
        """Signals count again."""

    def on_stop(self, reason: StopReason) -> SignalReturn:
        """Last chance for exit signals, if ``reason.ask``; ``cleanup`` follows."""
        return None

    # ---- what became of signals -------------------------------------------------------------------
    def on_signal_result(self, ack: SignalAck) -> None:
        """Learn the verdict on one signal: accepted, modified, rejected (``rule``), duplicate, expired.

        Or pending, where a person is to approve it; then it is called again with the same ``signal_id``.
        """

    def on_order_update(self, order: OrderUpdate) -> SignalReturn:
        """Answer a change of an order: placed, filled in part or whole, cancelled, expired, refused.

        Of a fill it follows ``on_fill`` and ``on_position_closed``. The engine's own orders (a stop) count.
        """
        return None

    def on_fill(self, fill: Fill, position: Position) -> SignalReturn:
        """Answer an execution; ``position`` is the holding after it."""
        return None

    def on_position_closed(self, trade: ClosedTrade) -> SignalReturn:
        """Answer the end of a round trip; follows the ``on_fill`` that ended it."""
        return None

    # ---- market and time --------------------------------------------------------------------------
    def on_feed_status(self, status: FeedStatus) -> SignalReturn:
        """Answer a change of a feed's health: healthy, stale, gap, disconnected."""
        return None

    def on_boundary(
        self, ts: int, closed: Mapping[tuple[str, str], Candle], data: MultiTimeframeData
    ) -> SignalReturn:
        """Answer a boundary at ``ts`` (ns) once every symbol's candles of it are in, or a grace ran out.

        ``closed`` maps (symbol, timeframe) to the candle; a symbol that is missing has no key there.
        """
        return None

    def on_timer(self, name: str, ts: int) -> SignalReturn:
        """Answer a timer set by ``ctx.schedule``; ``ts`` is when it was due, ns."""
        return None

    def on_session(self, phase: Literal["pre_open", "open", "pre_close", "close"], day: date) -> SignalReturn:
        """Answer a phase of a trading day of the first symbol: 15 minutes before its open, and so on.

        ``day`` is the trading day's label. What lies behind when a deployment starts is not told any more.
        """
        return None

    def on_candle_corrected(self, timeframe: str, candle: Candle, previous: Candle) -> None:
        """Learn that a closed candle was revised. Its history keeps what was traded on.

        Never called in this version: no candle is revised. A tick that comes late is counted and left out.
        """

    # ---- people -----------------------------------------------------------------------------------
    def on_parameters_updated(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
        """Take new parameters; only those flagged ``updatable`` differ."""

    def on_command(self, name: str, payload: JsonValue) -> JsonValue:
        """Answer an operator's command; unknown ones raise."""
        raise NotImplementedError(f"{type(self).__name__} takes no command {name!r}")

    def inspect(self) -> Mapping[str, JsonValue]:
        """Return what a screen should show of this strategy, at most 16 KiB."""
        return {}


BaseStrategy = IStrategy


def find_strategy_class(module: ModuleType, name: str | None = None) -> type[IStrategy]:
    """Return the one concrete subclass of ``IStrategy`` that ``module`` itself defines, or the named one.

    ``name`` is the ``class`` of config.json. Imported classes do not count, nor do abstract ones.
    """
    defined = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, IStrategy) and value.__module__ == module.__name__
    ]
    classes = {cls.__name__: cls for cls in defined}
    concrete = {label: cls for label, cls in classes.items() if not cls.__abstractmethods__}
    if name is None and len(concrete) == 1:
        name = next(iter(concrete))
    if name is None or name not in concrete:
        raise NoStrategyClass(_why_no_class(classes, concrete, name))
    misfits = [told for method in vars(IStrategy) if (told := _misfit(concrete[name], method))]
    if misfits:
        raise NoStrategyClass("; ".join(misfits))
    return concrete[name]


def _misfit(kind: type[IStrategy], method: str) -> str:
    """Say how ``method`` of ``kind`` cannot be called as the host calls it, by position; empty if it can.

    At load, because a tick may come hours later. Code objects say enough: a cell does not load ``inspect``.
    """
    ours = vars(IStrategy)[method]
    theirs = next(vars(base)[method] for base in kind.__mro__ if method in vars(base))
    if method.startswith("_") or not isinstance(ours, FunctionType) or not isinstance(theirs, FunctionType):
        return ""
    code, given = theirs.__code__, ours.__code__.co_argcount
    least = code.co_argcount - len(theirs.__defaults__ or ())
    keywords = code.co_kwonlyargcount - len(theirs.__kwdefaults__ or ())
    if least <= given and (code.co_argcount >= given or code.co_flags & CO_VARARGS) and keywords == 0:
        return ""
    takes, called = (", ".join(c.co_varnames[: c.co_argcount]) for c in (code, ours.__code__))
    return f"{kind.__name__}.{method} takes ({takes}), but is called with ({called})"


def _why_no_class(
    classes: Mapping[str, type[IStrategy]], concrete: Mapping[str, type[IStrategy]], name: str | None
) -> str:
    wanted = [name] if name is not None and name in classes else [] if name is not None else list(classes)
    lacking = [
        f"class {label} does not define {', '.join(sorted(classes[label].__abstractmethods__))}"
        for label in wanted
        if classes[label].__abstractmethods__
    ]
    if name is not None:
        known = ", ".join(sorted(concrete)) or "none"
        return (
            lacking[0] if lacking else f"config.json names class {name!r}; strategies defined here: {known}"
        )
    if len(concrete) > 1:
        names = ", ".join(sorted(concrete))
        return f'several strategies are defined here ({names}): name one as "class" in config.json'
    return "; ".join(lacking) or "no class here derives from strategies.IStrategy"
