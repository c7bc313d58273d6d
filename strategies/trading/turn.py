"""One input's consequences, written down: each is a record first, and the state follows the record."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from msgspec import Struct

from bus.messages import AcceptedSignal, Acked, Checkpoint, CommandBody, Signal
from strategies.trading.desk import Desk, Standing
from strategies.trading.identity import uuid7
from strategies.trading.orders import Order
from strategies.trading.records import (
    Cleared,
    Judged,
    Noted,
    Record,
    Refused,
    Saved,
    Withheld,
)
from strategies.trading.replies import accepted_signal, signal_ack
from strategies.trading.state import State
from strategies.trading.view import Verdict

PASSED: Final = frozenset({"accepted", "modified"})
R = TypeVar("R", bound=Any)


class Sending(Struct, frozen=True):
    """A live order that is to go out by its route, or to be taken back there."""

    order: Order
    cancel: bool = False


class Outcome(Struct):
    """What one input brought about. Journal ``records`` first, then do the rest.

    ``commands`` are (deployment, generation, body) for the cells, ``accepted`` goes out to the world,
    ``events`` are (kind, detail, deployment) for the event log, ``floods`` are (deployment, generation,
    detail) of instances that are to be ended; each is in ``records`` too. ``sends`` go out by routes.
    """

    records: list[Record] = []
    commands: list[tuple[str, int, CommandBody]] = []
    events: list[tuple[str, str, str]] = []
    sends: list[Sending] = []
    floods: list[tuple[str, int, str]] = []

    @property
    def passed(self) -> list[Judged]:
        """The verdicts that let a signal through."""
        return [r for r in self.records if type(r) is Judged and r.decision in PASSED]

    @property
    def accepted(self) -> list[AcceptedSignal]:
        """What goes out to the world: made when it is asked for, which is after the commit."""
        return [accepted_signal(judged) for judged in self.passed]


def joined(first: Outcome | None, then: Outcome | None) -> Outcome | None:
    """Return what two turns brought about, the one behind the other; either may be None, for nothing."""
    if first is None or not first.records:
        return then
    if then is None:
        return first
    return Outcome(**{name: getattr(first, name) + getattr(then, name) for name in first.__struct_fields__})


class Turn:
    """Writes down what was decided on one input at ``now``; ``out`` is what the caller gets.

    ``of_tick`` says that the input is a numbered tick, by which what it makes the engine order may be filled.
    """

    __slots__ = ("_seed", "now", "of_tick", "out", "state")

    def __init__(self, state: State, seed: int, now: int, *, of_tick: bool = False) -> None:
        self.state = state
        self.now = now
        self.of_tick = of_tick
        self.out = Outcome()
        self._seed = seed

    def next_id(self) -> tuple[int, str]:
        """Return the number of the next record, and the id that is made of it."""
        seq = self.state.seq + 1
        return seq, uuid7(self.now, seq, self._seed)

    def record(self, record: Record) -> None:
        """Write down one record: the state follows it."""
        self.state.apply(record)
        self.out.records.append(record)

    def write(self, record_type: type[R], /, **fields: Any) -> R:
        """Write down the next record, of this type, and return it."""
        record: R = record_type(seq=self.state.seq + 1, at=self.now, **fields)
        self.record(record)
        return record

    def tell(self, deployment_id: str, body: CommandBody) -> None:
        """Tell the instance of a deployment, if one is attached."""
        desk = self.state.desks.get(deployment_id)
        if desk is not None and desk.standing is not Standing.GONE:
            self.out.commands.append((deployment_id, desk.grant.generation, body))

    def judged(self, desk: Desk, generation: int, signal: Signal, key: str, verdict: Verdict) -> Judged:
        """Record a verdict and tell the cell."""
        grant = desk.grant
        judged = self.entered(desk, generation, signal, key, verdict, account=grant.account_id)
        if desk.standing is not Standing.GONE and grant.generation == generation:
            acked = Acked(signal_ack(judged), judged.seq)
            self.out.commands.append((grant.deployment_id, generation, acked))
        return judged

    def entered(
        self, desk: Desk, generation: int, signal: Signal, key: str, verdict: Verdict, *, account: str
    ) -> Judged:
        """Record a verdict on a signal that trades for an account."""
        grant = desk.grant
        seq, signal_id = self.next_id()
        judged = Judged(
            seq=seq,
            at=self.now,
            deployment_id=grant.deployment_id,
            generation=generation,
            decision=verdict.decision,
            rule=verdict.rule,
            detail=verdict.detail,
            signal_id=signal_id,
            key=key,
            quantity=verdict.quantity,
            account_id=account,
            strategy=grant.strategy,
            version=grant.version,
            code_hash=grant.code_hash,
            trading_mode=grant.trading_mode,
            signal=signal,
            until=verdict.until,
        )
        self.record(judged)
        return judged

    def save(self, deployment_id: str, generation: int, checkpoint: Checkpoint) -> None:
        """Record a checkpoint."""
        self.write(Saved, deployment_id=deployment_id, generation=generation, checkpoint=checkpoint)

    def refuse(self, deployment_id: str, checkpoint: int, why: str) -> None:
        """Record that the checkpoint of record ``checkpoint`` is bad."""
        self.write(Refused, deployment_id=deployment_id, checkpoint=checkpoint, why=why)

    def clear(self, deployment_id: str) -> None:
        """Record that every checkpoint of a deployment so far was dropped."""
        self.write(Cleared, deployment_id=deployment_id)

    def note(self, kind: str, detail: str, deployment_id: str) -> None:
        """Record something for the event log."""
        self.write(Noted, deployment_id=deployment_id, kind=kind, detail=detail)
        self.out.events.append((kind, detail, deployment_id))

    def sum_up(self, desk: Desk) -> None:
        """Record how many refusals of a flood were not listed, by rule."""
        deployment_id = desk.grant.deployment_id
        withheld = sorted(desk.withheld.items())
        desk.withheld.clear()
        desk.flushed_at = self.now
        for (generation, decision, rule), count in withheld:
            self.write(
                Withheld,
                deployment_id=deployment_id,
                generation=generation,
                decision=decision,
                rule=rule,
                count=count,
                account_id=desk.grant.account_id,
            )
        rules = ", ".join(f"{count} {rule}" for (_, _, rule), count in withheld)
        self.note("signal_flood", f"more refusals than are listed one by one: {rules}", deployment_id)
