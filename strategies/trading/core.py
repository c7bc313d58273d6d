"""The one door of the trading core: commands, signals and ticks in; records, answers and orders out.

Nothing here does IO or asks a clock: ``now`` (ns) is an argument, and the same calls in the same order
give the same outputs, byte for byte. The caller journals ``Outcome.records`` before it sends anything
else of the outcome: journal, then ack, then out. Should the journal fail, the core is ahead of the disk;
then the caller acts no further and starts again from what the journal recovers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from bus.messages import Checkpoint, Position, Signal, Tick
from strategies.trading.desk import Desk, Grant, Standing, Verb
from strategies.trading.gate import judge
from strategies.trading.identity import idempotency_key
from strategies.trading.records import Record, Saved, Snapshot, Tally
from strategies.trading.rules import RULES
from strategies.trading.state import State
from strategies.trading.ttl import SECOND
from strategies.trading.turn import Outcome, Turn
from strategies.trading.view import Party, View

__all__ = ["Core", "Grant", "Outcome"]

RATE_STEP: Final = RULES["rate"].step


class Core:
    """Gate, paper broker and books behind one door. ``seed`` tells the ids of two journals apart.

    ``numbered`` tells the number of the last tick of a symbol that was handed in; without it no tick may be
    handed in a second time (``see_again``).
    """

    def __init__(self, *, seed: int = 0, numbered: Callable[[str], int] = lambda _: 0) -> None:
        self._seed = seed
        self._numbered = numbered
        self._state = State()
        self._last: dict[str, Tick] = {}

    # ---- what the supervisor decides --------------------------------------------------------------
    def attach(self, grant: Grant) -> None:
        """Expect signals of this instance, once it is warm; every older generation is fenced out."""
        self._state.desk(grant.deployment_id).attach(grant)

    def detach(self, deployment_id: str, generation: int) -> None:
        """Accept nothing more from this instance. Its orders and positions stay."""
        if desk := self._current(deployment_id, generation):
            desk.standing = Standing.GONE

    def running(self, deployment_id: str, generation: int) -> None:
        """Let the gate judge its signals from now on: the instance is warm."""
        if desk := self._current(deployment_id, generation):
            desk.warm = True

    def direct(self, deployment_id: str, generation: int, verb: Verb, reason: str, exit_only: bool) -> None:  # noqa: ARG002 - reason is for the cell and the event log, which are the caller's
        """Pause, resume or stop an instance, at once; ``exit_only`` lets exits through meanwhile."""
        if desk := self._current(deployment_id, generation):
            desk.direct(verb, exit_only)

    def forget(self, deployment_id: str, now: int) -> Outcome:
        """Drop a removed deployment: waiting orders are cancelled, counts and flat positions go.

        What it still holds is kept, since money does not vanish with a name. Keys stay for their time.
        """
        turn = self._turn(now)
        for order in self._state.broker.everything():
            if order.deployment_id == deployment_id:
                turn.close(order, "cancelled")
        self._state.desks.pop(deployment_id, None)
        self._state.books.drop_flat(deployment_id)
        return turn.out

    # ---- what cells send --------------------------------------------------------------------------
    def on_signals(self, deployment_id: str, generation: int, signals: list[Signal], now: int) -> Outcome:
        """Judge the signals of one callback, in order; each sees what the ones before it did."""
        turn = self._turn(now)
        desk = self._state.desk(deployment_id)
        for signal in signals:
            key = idempotency_key(deployment_id, signal)
            verdict = judge(signal, self._view(desk, generation, signal, key, now), now)
            if verdict.passed or RULES[verdict.rule].step > RATE_STEP:
                desk.rate.take()
            if verdict.passed or desk.may_list(now):
                turn.answer(desk, generation, signal, key.hex(), verdict)
            else:
                desk.withheld[generation, verdict.decision, verdict.rule] += 1
        if desk.withheld and now - desk.flushed_at >= SECOND:
            turn.sum_up(desk)
        return turn.out

    def on_checkpoint(self, deployment_id: str, generation: int, checkpoint: Checkpoint, now: int) -> Outcome:
        """Keep a strategy's state, behind every signal that it sent before; not that of a fenced one.

        ``now`` is of the wall clock.
        """
        turn = self._turn(now)
        if self._current(deployment_id, generation):
            turn.save(deployment_id, generation, checkpoint)
        else:
            turn.note("stale_checkpoint", f"of generation {generation}: not kept", deployment_id)
        return turn.out

    def refuse_checkpoint(self, deployment_id: str, checkpoint: int, why: str, now: int) -> Outcome:
        """Mark the checkpoint of record ``checkpoint`` as bad; ``now`` is of the wall clock."""
        turn = self._turn(now)
        turn.refuse(deployment_id, checkpoint, why)
        return turn.out

    def restore_checkpoint(self, saved: Saved, now: int) -> Outcome:
        """Make an older checkpoint the newest of its deployment; ``now`` is of the wall clock."""
        turn = self._turn(now)
        turn.save(saved.deployment_id, saved.generation, saved.checkpoint)
        return turn.out

    def clear_checkpoints(self, deployment_id: str, now: int) -> Outcome:
        """Drop every checkpoint of a deployment; ``now`` is of the wall clock."""
        turn = self._turn(now)
        turn.clear(deployment_id)
        return turn.out

    # ---- what the market does ---------------------------------------------------------------------
    def on_tick(self, tick: Tick, now: int) -> Outcome | None:
        """Fill what waits for this tick; None at once when nothing does."""
        self._last[tick.symbol] = tick
        if not self._state.broker.waits(tick.symbol):
            return None
        # Protective exits, which act on every tick of a symbol that is held, will be judged here.
        return self._fill(tick, now, None)

    def see_again(self, tick: Tick, number: int, now: int) -> Outcome | None:
        """Take tick ``number`` of its symbol anew: a crash may have come before its fills were kept.

        It fills what was accepted before it came and still waits: exactly what it would have filled.
        """
        self._last[tick.symbol] = tick
        return self._fill(tick, now, number) if self._state.broker.waits(tick.symbol) else None

    def last_ticks(self) -> list[Tick]:
        """Return the last tick of each symbol, for ``recall``."""
        return list(self._last.values())

    def recall(self, ticks: Iterable[Tick]) -> None:
        """Know these as the last ticks of their symbols: after a crash their prices are still the last."""
        self._last.update((tick.symbol, tick) for tick in ticks)

    def set_price(self, symbol: str, price: float | None, at: int) -> None:
        """Take a price that came by no tick (a feed's bar); None makes it unknown, which bars entries."""
        if price is None:
            self._last.pop(symbol, None)
        else:
            self._last[symbol] = Tick(symbol, at, price)

    def pulse(self, now: int) -> Outcome:
        """Sum up what floods of refusals left unlisted. Call it once a second."""
        turn = self._turn(now)
        for desk in self._state.desks.values():
            if desk.withheld:
                turn.sum_up(desk)
        return turn.out

    # ---- what others ask --------------------------------------------------------------------------
    def positions(self, deployment_id: str) -> list[Position]:
        """Return its positions at the last known prices, flat ones with their profit too, by symbol."""
        return self._state.books.of(deployment_id, self._price)

    def counts(self, deployment_id: str) -> Tally:
        """Return its verdicts so far, those of a flood not yet summed up included."""
        desk = self._state.desks.get(deployment_id)
        return Tally(deployment_id) if desk is None else desk.tally(with_withheld=True)

    def snapshot(self) -> Snapshot:
        """Return all that ``restore`` brings back."""
        return self._state.snapshot()

    def restore(self, records: Iterable[Record]) -> None:
        """Rebuild the state from the journal, ascending ``seq``; a ``Snapshot`` replaces what was before."""
        for record in records:
            if isinstance(record, Snapshot):
                self._state = State.of(record)
            else:
                self._state.apply(record)

    # ---- inside -----------------------------------------------------------------------------------
    def _turn(self, now: int) -> Turn:
        return Turn(self._state, self._seed, now, self._numbered)

    def _fill(self, tick: Tick, now: int, number: int | None) -> Outcome | None:
        turn = self._turn(now)
        for match in self._state.broker.match(tick, number):
            turn.fill(match.order, match.price, tick)
        return turn.out if turn.out.records or number is None else None

    def _current(self, deployment_id: str, generation: int) -> Desk | None:
        desk = self._state.desks.get(deployment_id)
        if desk is None or desk.standing is Standing.GONE or desk.grant.generation != generation:
            return None
        return desk

    def _price(self, symbol: str) -> float | None:
        tick = self._last.get(symbol)
        return None if tick is None else tick.price

    def _view(self, desk: Desk, generation: int, signal: Signal, key: bytes, now: int) -> View:
        deployment_id, symbol = desk.grant.deployment_id, signal.symbol
        buying, selling, waiting = self._state.broker.pending(deployment_id, symbol)
        if waiting and signal.intent == "cancel":
            waiting = len(self._state.broker.cancellable(deployment_id, symbol, signal.leg))
        return View(
            standing=desk.standing,
            current=desk.grant.generation == generation,
            warm=desk.warm,
            duplicate=self._state.keys.known(deployment_id, symbol, key),
            symbols=desk.symbols,
            timeframes=desk.timeframes,
            mode=desk.grant.trading_mode,
            own=Party(
                limits=desk.limits,
                held=self._state.books.held(deployment_id, symbol),
                buying=buying,
                selling=selling,
                due=self._state.broker.due(deployment_id, symbol) if buying or selling else 0.0,
                tokens=desk.rate.level(now),
            ),
            waiting=waiting,
            price=self._price(symbol),
        )
