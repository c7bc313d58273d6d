"""Semi-automatic trading: what takes on risk waits until a person has approved it.

Rules of this file. Only what passed every step of the gate waits, and only what takes on risk: exits,
cancels and adjusts pass at once, as do the exits of the engine, for nobody must be kept in a position because
a person sleeps. Who approves does not overrule the gate: the signal is judged again, by the prices, positions
limits and latches of that moment. It is decided once; whatever came of it, its key stays, and nobody is asked
again.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from bus.messages import Acked, Signal
from strategies.trading.dealing import Dealing
from strategies.trading.desk import Desk, Standing
from strategies.trading.gate import judge
from strategies.trading.limits import Limits
from strategies.trading.records import Judged
from strategies.trading.replies import signal_ack
from strategies.trading.rules import RULES, Refusal
from strategies.trading.ttl import SECOND, ttl
from strategies.trading.turn import Turn
from strategies.trading.view import Verdict, View
from strategies.trading.world import Party, World

NOTHING_LEFT: Final = frozenset({"no_position", "already_at_target"})
"""Refusals of who wants to be where he is: what would lead elsewhere is not wanted any more."""


def until(signal: Signal, parties: tuple[Limits, Limits], now: int, default: float) -> int:
    """Return how long a signal may wait for approval (event time, ns); 0 where nobody has to approve.

    The shortest timeout of those that ask for approval (``default`` seconds where one names none), and never
    longer than the signal itself lives.
    """
    asking = [limits for limits in parties if limits.approval == "manual"]
    if not asking:
        return 0
    seconds = min(default if one.approval_timeout is None else one.approval_timeout for one in asking)
    return min(now + int(seconds * SECOND), signal.data_as_of + ttl(signal, exits=False))


def held_back(
    verdict: Verdict, signal: Signal, parties: tuple[Limits, Limits], now: int, default: float
) -> Verdict:
    """Return the verdict that stands: ``pending`` where a person is to approve what passed."""
    if not verdict.passed or verdict.quantity is None or verdict.reduce_only:
        return verdict
    ends = until(signal, parties, now, default)
    if not ends:
        return verdict
    seconds = (ends - now) / SECOND
    detail = f"an order of {verdict.quantity:g} units waits for approval, {seconds:.3g} s at most"
    return Verdict("pending", "approval_needed", detail, quantity=verdict.quantity, until=ends)


def withdraws(signal: Signal, verdict: Verdict) -> bool:
    """Whether what waits in the same symbol is obsolete by this signal: it leads out, or somewhere else.

    ``verdict`` is the gate's, before ``held_back``.
    """
    if verdict.passed:
        return verdict.reduce_only or signal.intent in {"cancel", "target"}
    return verdict.rule in NOTHING_LEFT and signal.intent != "adjust"


class Approvals:
    """Decides in one turn on signals that wait."""

    __slots__ = ("_turn", "_world")

    def __init__(self, turn: Turn, world: World) -> None:
        self._turn = turn
        self._world = world

    def heed(self, desk: Desk, signal: Signal, verdict: Verdict) -> Verdict:
        """Return the verdict that stands, and withdraw what waits and is obsolete by this signal.

        Nobody approves anything in a backtest.
        """
        world, grant = self._world, desk.grant
        if withdraws(signal, verdict):
            leg = signal.leg if signal.intent == "cancel" else ""
            waiting = world.state.pending.of(grant.deployment_id, signal.symbol, leg)
            self._withdraw(waiting, f"the strategy sent {signal.intent} after it")
        if grant.trading_mode == "backtest":
            return verdict
        parties = desk.limits, world.limits(("account", grant.account_id))
        return held_back(verdict, signal, parties, self._turn.now, world.setup.approval_timeout)

    def end_all(self, party: Party, why: str) -> None:
        """Take back all that waits of a deployment or an account."""
        scope, name = party
        waiting = self._world.state.pending.everything()
        self._withdraw(
            [one for one in waiting if name == (one.account_id if scope == "account" else one.deployment_id)],
            why,
        )

    def _withdraw(self, waiting: list[Judged], why: str) -> None:
        for pending in waiting:
            self._write(pending, _refused(Refusal("approval_withdrawn", why)))

    def lapse(self, pending: Judged) -> None:
        """Let a signal wait no longer: its time is over."""
        self._write(pending, _refused(Refusal("approval_lapsed", "nobody approved it in time")))

    def deny(self, pending: Judged, by: str, remark: str) -> None:
        """Refuse a signal by a person's word."""
        why = f"{by} refused it" + (f": {remark}" if remark else "")
        self._write(pending, _refused(Refusal("approval_denied", why)), by, remark)

    def approve(self, pending: Judged, by: str, remark: str, view: View) -> None:
        """Let a signal through by a person's word, if the gate lets it through now, by ``view``."""
        verdict = self._judge_again(pending, view)
        judged = self._write(pending, verdict, by, remark)
        if verdict.passed and verdict.quantity is not None:
            Dealing(self._turn, self._world).place(judged, verdict, verdict.quantity)

    def _judge_again(self, pending: Judged, view: View) -> Verdict:
        grant = self._world.state.desk(pending.deployment_id).grant
        before, present = (pending.account_id, pending.trading_mode), (grant.account_id, grant.trading_mode)
        if before != present:
            now, then = " ".join(present), " ".join(before)
            detail = f"it was for {then}, and the deployment trades for {now} now"
            return _refused(Refusal("approval_outdated", detail))
        return judge(pending.signal, self._again(view, pending), self._turn.now)

    def _again(self, view: View, pending: Judged) -> View:
        """Return the view without what the signal itself is in it: its key, its token, its place."""
        waiting = self._world.state.pending.count(pending.deployment_id, pending.signal.symbol)
        return replace(
            view,
            duplicate=False,
            waiting=view.waiting - waiting,
            own=replace(view.own, tokens=max(1.0, view.own.tokens)),
            account=replace(view.account, tokens=max(1.0, view.account.tokens)),
        )

    def _write(self, pending: Judged, verdict: Verdict, by: str = "", remark: str = "") -> Judged:
        """Record what became of a signal, and tell the cell that sent it or took its place."""
        turn = self._turn
        desk = self._world.state.desk(pending.deployment_id)
        judged = replace(
            pending,
            seq=turn.state.seq + 1,
            at=turn.now,
            generation=_generation(desk, pending),
            decision=verdict.decision,
            rule=verdict.rule,
            detail=verdict.detail,
            quantity=verdict.quantity,
            until=0,
            pending=pending.seq,
            by=by,
            remark=remark,
        )
        turn.record(judged)
        turn.tell(pending.deployment_id, Acked(signal_ack(judged), judged.seq))
        return judged


def _generation(desk: Desk, pending: Judged) -> int:
    return pending.generation if desk.standing is Standing.GONE else desk.grant.generation


def _refused(refusal: Refusal) -> Verdict:
    return Verdict(RULES[refusal.rule].decision, refusal.rule, refusal.detail)
