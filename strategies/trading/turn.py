"""One input's consequences, written down: each is a record first, and the state follows the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec import Struct

from bus.messages import AcceptedSignal, Acked, Checkpoint, CommandBody, Fill, Filled, Signal, SignalAck, Tick
from strategies.trading.books import after, marked
from strategies.trading.desk import Desk, Standing
from strategies.trading.identity import uuid7
from strategies.trading.orders import Order, reducing
from strategies.trading.records import (
    Cleared,
    Closed,
    Executed,
    Judged,
    Noted,
    Placed,
    Record,
    Refused,
    Saved,
    Withheld,
)
from strategies.trading.replies import accepted_signal
from strategies.trading.state import State
from strategies.trading.view import Verdict

PASSED: Final = frozenset({"accepted", "modified"})


class Outcome(Struct):
    """What one input brought about. Journal ``records`` first, then do the rest.

    ``commands`` are (deployment, generation, body) for the cells, ``accepted`` goes out to the world,
    ``events`` are (kind, detail, deployment) for the event log; each is in ``records`` too.
    """

    records: list[Record] = []
    commands: list[tuple[str, int, CommandBody]] = []
    events: list[tuple[str, str, str]] = []

    @property
    def passed(self) -> list[Judged]:
        """The verdicts that let a signal through."""
        return [r for r in self.records if type(r) is Judged and r.decision in PASSED]

    @property
    def accepted(self) -> list[AcceptedSignal]:
        """What goes out to the world: made when it is asked for, which is after the commit."""
        return [accepted_signal(judged) for judged in self.passed]


class Turn:
    """Carries out what was decided on one input at ``now``; ``out`` is what the caller gets.

    ``after`` tells the number of the last tick of a symbol, for the orders that are placed.
    """

    __slots__ = ("_after", "_now", "_seed", "_state", "out")

    def __init__(self, state: State, seed: int, now: int, after: Callable[[str], int]) -> None:
        self._state = state
        self._seed = seed
        self._now = now
        self._after = after
        self.out = Outcome()

    def answer(self, desk: Desk, generation: int, signal: Signal, key: str, verdict: Verdict) -> None:
        """Record a verdict and tell the cell; carry it out if the signal passed."""
        grant = desk.grant
        seq, signal_id = self._id()
        judged = Judged(
            seq=seq,
            at=self._now,
            deployment_id=grant.deployment_id,
            generation=generation,
            decision=verdict.decision,
            rule=verdict.rule,
            detail=verdict.detail,
            signal_id=signal_id,
            key=key,
            quantity=verdict.quantity,
            account_id=grant.account_id,
            strategy=grant.strategy,
            version=grant.version,
            code_hash=grant.code_hash,
            trading_mode=grant.trading_mode,
            signal=signal,
        )
        self._record(judged)
        if desk.standing is not Standing.GONE and grant.generation == generation:
            ack = SignalAck(
                key, verdict.decision, verdict.rule, verdict.detail, signal_id, signal.number, self._now
            )
            self.out.commands.append((grant.deployment_id, generation, Acked(ack, seq)))
        if verdict.passed:
            if signal.intent == "cancel":
                self._cancel(grant.deployment_id, signal)
            elif verdict.quantity is not None:
                self._place(judged, verdict.quantity, verdict.reduce_only)

    def fill(self, order: Order, price: float, tick: Tick) -> None:
        """Execute ``order`` at ``price``, an exit clipped to what is held now, and tell the cell."""
        held = self._state.books.position(order.deployment_id, order.symbol)
        quantity = order.quantity
        if order.reduce_only:
            quantity = reducing(quantity, held.quantity)
            if quantity == 0.0:
                self.close(order, "nothing_to_reduce")
                detail = f"exit {order.order_id} of {order.symbol} found no position when its tick came"
                self.note("order_closed", detail, order.deployment_id)
                return
        seq, fill_id = self._id()
        fill = Fill(
            fill_id,
            order.signal_id,
            order.deployment_id,
            order.account_id,
            order.symbol,
            quantity,
            price,
            0.0,  # commissions come with the order model
            tick.ts,
            order.leg,
        )
        position = after(held, quantity, price)
        self._record(
            Executed(
                seq=seq,
                at=self._now,
                order_id=order.order_id,
                order_seq=order.seq,
                fill=fill,
                position=position,
            )
        )
        desk = self._state.desk(order.deployment_id)
        if desk.standing is not Standing.GONE:
            body = Filled(fill, marked(position, tick.price), seq)
            self.out.commands.append((order.deployment_id, desk.grant.generation, body))

    def close(self, order: Order, reason: str) -> None:
        """End an order that will not fill."""
        self._record(
            Closed(
                seq=self._state.seq + 1,
                at=self._now,
                deployment_id=order.deployment_id,
                symbol=order.symbol,
                order_id=order.order_id,
                order_seq=order.seq,
                reason=reason,
            )
        )

    def save(self, deployment_id: str, generation: int, checkpoint: Checkpoint) -> None:
        """Record a checkpoint."""
        self._record(
            Saved(
                seq=self._state.seq + 1,
                at=self._now,
                deployment_id=deployment_id,
                generation=generation,
                checkpoint=checkpoint,
            )
        )

    def refuse(self, deployment_id: str, checkpoint: int, why: str) -> None:
        """Record that the checkpoint of record ``checkpoint`` is bad."""
        seq = self._state.seq + 1
        self._record(
            Refused(seq=seq, at=self._now, deployment_id=deployment_id, checkpoint=checkpoint, why=why)
        )

    def clear(self, deployment_id: str) -> None:
        """Record that every checkpoint of a deployment so far was dropped."""
        self._record(Cleared(seq=self._state.seq + 1, at=self._now, deployment_id=deployment_id))

    def note(self, kind: str, detail: str, deployment_id: str) -> None:
        """Record something for the event log."""
        seq = self._state.seq + 1
        self._record(Noted(seq=seq, at=self._now, deployment_id=deployment_id, kind=kind, detail=detail))
        self.out.events.append((kind, detail, deployment_id))

    def sum_up(self, desk: Desk) -> None:
        """Record how many refusals of a flood were not listed, by rule."""
        deployment_id = desk.grant.deployment_id
        withheld = sorted(desk.withheld.items())
        desk.withheld.clear()
        desk.flushed_at = self._now
        for (generation, decision, rule), count in withheld:
            self._record(
                Withheld(
                    seq=self._state.seq + 1,
                    at=self._now,
                    deployment_id=deployment_id,
                    generation=generation,
                    decision=decision,
                    rule=rule,
                    count=count,
                )
            )
        rules = ", ".join(f"{count} {rule}" for (_, _, rule), count in withheld)
        self.note("signal_flood", f"more refusals than are listed one by one: {rules}", deployment_id)

    def _id(self) -> tuple[int, str]:
        seq = self._state.seq + 1
        return seq, uuid7(self._now, seq, self._seed)

    def _record(self, record: Record) -> None:
        self._state.apply(record)
        self.out.records.append(record)

    def _place(self, judged: Judged, quantity: float, reduce_only: bool) -> None:
        seq, order_id = self._id()
        order = Order(
            order_id=order_id,
            signal_id=judged.signal_id,
            deployment_id=judged.deployment_id,
            account_id=judged.account_id,
            symbol=judged.signal.symbol,
            quantity=quantity,
            reduce_only=reduce_only,
            leg=judged.signal.leg,
            data_as_of=judged.signal.data_as_of,
            accepted_at=self._now,
            seq=seq,
            after=self._after(judged.signal.symbol),
        )
        self._record(Placed(seq=seq, at=self._now, order=order))

    def _cancel(self, deployment_id: str, signal: Signal) -> None:
        for order in list(self._state.broker.cancellable(deployment_id, signal.symbol, signal.leg)):
            self.close(order, "cancelled")
