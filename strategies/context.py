"""What a strategy asks instead of the operating system: the time, its books, chance, and a place to write.

Nothing here does IO. What a strategy says goes through the host's ``update`` sink as plain data
(``strategies.outputs``); what it may not have in this deployment says so by ``NotConfigured``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal, NoReturn

from numpy.random import PCG64, Generator

from bus.messages import Position
from bus.session_phases import OURS
from strategies.books import Account, Books, OpenOrder
from strategies.data import MultiTimeframeData
from strategies.errors import NotConfigured, StrategyError
from strategies.indicator_set import IndicatorSet
from strategies.indicators import INDICATORS, Indicator
from strategies.nearest import suggestion
from strategies.outputs import LONGEST_REQUEST, Level, LogLine, Recorded, Update, bounded
from strategies.timers import Timers

MAX_NAME = 64


class Logger:
    """``ctx.log``: lines go to ``stratd logs``, stamped with event time. ``%``-formatting as in logging."""

    __slots__ = ("_books", "_update")

    def __init__(self, update: Callable[[Update], None], books: Books) -> None:
        self._update = update
        self._books = books

    def debug(self, message: object, *args: object) -> None:
        """Write a line for the author."""
        self._write("debug", message, args)

    def info(self, message: object, *args: object) -> None:
        """Write a line for the operator."""
        self._write("info", message, args)

    def warning(self, message: object, *args: object) -> None:
        """Write a line about something odd."""
        self._write("warning", message, args)

    def error(self, message: object, *args: object) -> None:
        """Write a line about something that went wrong."""
        self._write("error", message, args)

    def _write(self, level: Level, message: object, args: tuple[object, ...]) -> None:
        text = str(message) % args if args else str(message)
        self._update(LogLine(level, bounded(text), self._books.now))


class Service:
    """A service of the platform that this deployment does not have."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def get(self, *_: object, **__: object) -> NoReturn:
        """Refuse, by name."""
        raise NotConfigured(f"ctx.{self._name} is not configured for this deployment")


class Context:
    """A strategy's surroundings. ``now`` is event time (ns UTC): equal in replay, unlike any other clock."""

    def __init__(
        self,
        *,
        deployment_id: str,
        mode: Literal["backtest", "paper", "live"],
        params: Mapping[str, Any],
        books: Books,
        data: MultiTimeframeData,
        update: Callable[[Update], None],
        more_time: Callable[[float], bool],
        seed: int,
    ) -> None:
        self.mode = mode
        self.params = params
        self.kv: dict[str, Any] = {}
        """A small durable map: saved with every checkpoint and there again after a restart."""
        self._seed = seed
        self.log = Logger(update, books)
        self.features = Service("features")
        self.analysis = Service("analysis")
        self._deployment_id = deployment_id
        self._books = books
        self._data = data
        self._update = update
        self._more_time = more_time
        self._looking = ""
        self.timers = Timers()
        """The host's: what ``schedule`` has set."""
        self.indicators = IndicatorSet()
        """The host's: what ``indicator`` has made."""

    @property
    def now(self) -> int:
        """Event time of what is being handled, or of the newest event before it; never runs backwards."""
        return self._books.now

    @property
    def account(self) -> Account:
        """This deployment's profit so far, over all its symbols."""
        return self._books.account()

    def position(self, symbol: str | None = None) -> Position:
        """Return this deployment's own holding in ``symbol`` (default: that of the event), flat if none."""
        key = symbol or self._data.symbol
        return self._books.positions.get(key) or Position(deployment_id=self._deployment_id, symbol=key)

    def open_orders(self) -> tuple[OpenOrder, ...]:
        """Return the signals that were accepted and of which no fill has come yet, oldest first."""
        return tuple(self._books.open_orders.values())

    def record(self, name: str, value: float) -> None:
        """Add one point to a chart or metric of this deployment."""
        number = float(value)
        if not _is_name(name) or not math.isfinite(number):
            raise StrategyError(f"record({name!r}, {value!r}): a name of 1 to 64 characters, a finite number")
        self._update(Recorded(name, number, self.now))

    def schedule(self, name: str, *, at: int | None = None, every: float | None = None) -> None:
        """Have ``on_timer(name, ts)`` called at event time ``at`` (ns), ``every`` so many seconds, or both.

        The same name again replaces the timer. Timers survive a restart: an ``on_start`` that sets one of the
        same period again leaves it as it is.
        """
        if not _is_name(name):
            raise StrategyError(f"schedule({name!r}): a name of 1 to 64 characters")
        if name.startswith(OURS):
            raise StrategyError(f"schedule({name!r}): names that begin with {OURS!r} are not a strategy's")
        if at is None and every is None:
            raise StrategyError(f"schedule({name!r}): say at=nanoseconds or every=seconds")
        if every is not None and not 1 <= every <= 366 * 86_400:
            raise StrategyError(f"schedule({name!r}): every={every!r} is not between 1 s and 366 days")
        if at is not None and (type(at) is not int or at <= 0):
            raise StrategyError(f"schedule({name!r}): at={at!r} is not a time in nanoseconds since 1970")
        self._must_act("schedule", name)
        period = 0 if every is None else round(every * 1e9)
        if (timer := self.timers.set(name, at, period, self.now)) is not None:
            self._update(timer)

    def request_time(self, seconds: float | timedelta) -> bool:
        """Ask for time to train a model, beyond the hard budget of the callback that runs.

        All of it is granted, or nothing: the platform keeps a bucket of extra time for each deployment,
        which refills slowly (``[budgets] extra``, ``extra_refill``). Time that was granted and not used
        flows back when the callback is over. A backtest has no budgets and always grants.
        """
        span = seconds.total_seconds() if isinstance(seconds, timedelta) else float(seconds)
        if not 1 <= span <= LONGEST_REQUEST:
            raise StrategyError(
                f"request_time({seconds!r}): at least 1 and at most {LONGEST_REQUEST:,} seconds"
            )
        return self._more_time(span)

    def indicator(self, name: str, timeframe: str, *args: int, symbol: str | None = None) -> Indicator:
        """Return an indicator that is fed every closed candle from now on, before the callback sees it.

        ``ctx.indicator("SMA", "1h", 20).value``; fed what ``history`` already holds. ``symbol`` defaults to
        the first of the deployment's. Asked for again it is the same one, after a restart with what it held.
        """
        if name not in INDICATORS:
            raise StrategyError(f"indicator {name!r} is unknown{suggestion(name, INDICATORS)}")
        key = symbol or self._data.symbols[0]
        history = self._data.history(timeframe, self._data.capacity, key)
        recipe = (name, key, self._data.canonical(timeframe), args)
        known = self.indicators.get(recipe)
        if known is not None:
            return known
        self._must_act("indicator", name)
        made = self.indicators.make(recipe)
        for row in history:
            made.feed(float(row["high"]), float(row["low"]), float(row["close"]))
        return made

    @functools.cached_property
    def rng(self) -> Generator:
        """Seeded random numbers; their position is part of the checkpoint."""
        # Made when first asked for: 0.2 MiB of private memory that most strategies do not need.
        return Generator(PCG64(self._seed))

    @contextmanager
    def looking(self, callback: str) -> Iterator[None]:
        """Let ``callback`` look and change nothing here: what it runs is not run again in a replay."""
        kv, drawn = dict(self.kv), vars(self).get("rng")
        position = drawn.bit_generator.state if drawn is not None else None
        self._looking = callback
        try:
            yield
        finally:
            self._looking = ""
            self.kv.clear()
            self.kv.update(kv)
            if position is not None:
                self.rng.bit_generator.state = position
            else:
                vars(self).pop("rng", None)  # made now: the first to ask for it draws from its beginning

    def _must_act(self, what: str, name: str) -> None:
        if self._looking:
            raise StrategyError(f"{what}({name!r}) in {self._looking}, which looks and changes nothing")

    def snapshot(self) -> dict[str, Any]:
        """Return what a checkpoint keeps besides the strategy's own state; the host calls this."""
        kept = {"kv": self.kv}
        return {**kept, "rng": self.rng.bit_generator.state} if "rng" in vars(self) else kept

    def restore(self, saved: Mapping[str, Any]) -> bool:
        """Take back a ``snapshot``, or nothing of it and return False; the host calls this."""
        kv = saved.get("kv")
        if not isinstance(kv, dict):
            return False
        try:
            if "rng" in saved:
                self.rng.bit_generator.state = saved["rng"]
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):  # numpy's own check
            return False
        self.kv.clear()
        self.kv.update(kv)
        return True


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 1 <= len(name) <= MAX_NAME
