"""The gate: ``judge(signal, view, now) -> Verdict``, pure, in the order of steps that signals.md has.

What cannot be judged is not accepted: a number that is missing, not finite or unknown never disables a
limit. It blocks entries and lets exits through, since an exit only takes risk away. Every refusal names
a rule (``rules.RULES``: the ids, their steps, their meaning). One step is one function; the first that
answers wins. Steps 1 to 6 are here; 7 to 11 are ``ordering`` with ``instructions`` (what kind of order),
``sizing``, ``brackets`` (what guards it) and ``caps`` (limits); 12 (write, route, ack) is the core's.
"""

from __future__ import annotations

import traceback
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Final

from bus.messages import Signal
from strategies.trading import caps, risk
from strategies.trading.desk import Standing
from strategies.trading.latches import refusing
from strategies.trading.limits import within
from strategies.trading.ordering import money, order
from strategies.trading.rules import RULES, Refusal
from strategies.trading.sizing import reduces
from strategies.trading.ttl import CLOCK_SKEW, SECOND, ttl
from strategies.trading.view import LiveGrant, Verdict, View

MAX_EVIDENCE: Final = 4_096

CAUSES: Final = frozenset({"tick", "timer", "feed", "fill", "order", "session", "bound", "stop", "alert"})
"""What ``timeframe`` may name besides a granted one: signals that no candle caused."""


def judge(signal: Signal, view: View, now: int) -> Verdict:
    """Return the verdict on ``signal`` at ``now`` (ns, the clock that stamped its data).

    Wall: a mistake of ours over what one strategy sent costs that signal and not the engine, which all share
    and which would end again each time the signal is said again. Nothing has changed yet: this is pure.
    """
    try:
        return _judge(signal, view, now)
    except Exception as error:  # noqa: BLE001  (the verdict says which and where, and is listed)
        where = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__} at {PurePath(where.filename).name}:{where.lineno}"
        return Verdict("rejected", "unjudged", f"judging it failed ({what}): a mistake in stratd")


def _judge(signal: Signal, view: View, now: int) -> Verdict:
    at = money(signal, view)
    exits = reduces(signal, view.own.expected, at)
    answer = (
        _evidence(signal)
        or _fencing(view)
        or _lifecycle(view, exits, now)
        or _duplicate(view)
        or _timing(signal, now, exits)
        or _grant(signal, view, exits)
        or (None if exits else _hours(view, now))
        or order(signal, view, now, exits, at)
    )
    if isinstance(answer, Refusal):
        return Verdict(RULES[answer.rule].decision, answer.rule, answer.detail)
    return answer


# ---- step 1 ---------------------------------------------------------------------------------------
def _evidence(signal: Signal) -> Refusal | None:
    if not signal.tags and not signal.indicators:
        return None
    # Bytes as they are stored: names and texts in UTF-8, eight for a number.
    total = sum(len(name.encode()) + len(text.encode()) for name, text in signal.tags.items())
    total += sum(len(name.encode()) + 8 for name in signal.indicators)
    if total > MAX_EVIDENCE:
        return Refusal("too_large", f"tags and indicators are {total:,} bytes, at most {MAX_EVIDENCE:,}")
    return None


# ---- step 2 ---------------------------------------------------------------------------------------
def _fencing(view: View) -> Refusal | None:
    if view.standing is Standing.GONE:
        return Refusal("not_attached", "no instance of this deployment is known to run")
    if not view.current:
        return Refusal("stale_generation", "a newer instance of this deployment runs")
    return None


# ---- step 3 ---------------------------------------------------------------------------------------
_BARRED: Final = {
    Standing.PAUSED: Refusal("paused", "the deployment is paused"),
    Standing.STOPPING: Refusal("stopping", "the instance is being stopped"),
}
_EXITS_ONLY: Final = {
    Standing.EXIT_ONLY: Refusal("exit_only", "only exits are let through while paused so"),
    Standing.DRAINING: Refusal("stopping", "the instance is being stopped: only exits are let through"),
}


def _lifecycle(view: View, exits: bool, now: int) -> Refusal | None:
    if not view.warm:
        return Refusal("warming", "the instance is not warm yet")
    barred = _BARRED.get(view.standing) or (None if exits else _EXITS_ONLY.get(view.standing))
    if barred:
        return barred
    for who, party in caps.parties(view):
        latch = party.latch
        if latch is not None and (rule := refusing(latch, exits)):
            why = f"{latch.rule}: {latch.reason}" if latch.reason else latch.rule
            return Refusal(rule, f"{who} is latched ({latch.kind}) by {why}; an operator takes it back")
        if not exits and (pause := risk.cooling(party.limits, party.figures, now)):
            return Refusal(pause.rule, f"{who}: {pause.detail}")
    return None


# ---- step 4 ---------------------------------------------------------------------------------------
def _duplicate(view: View) -> Refusal | None:
    if not view.duplicate:
        return None
    return Refusal("duplicate", "the same symbol, data, intent and leg was accepted before")


# ---- step 5 ---------------------------------------------------------------------------------------
def _timing(signal: Signal, now: int, exits: bool) -> Refusal | None:
    if not signal.data_as_of:
        return None if exits else Refusal("unstamped", "data_as_of is missing, so the age is unknown")
    age = now - signal.data_as_of
    if age < -CLOCK_SKEW:
        ahead = f"its data is {-age / SECOND:.3f} s ahead of the clock, at most {CLOCK_SKEW / SECOND:g} s"
        return None if exits else Refusal("clock_skew", ahead)
    allowed = ttl(signal, exits)
    if age > allowed:
        return Refusal("ttl", f"its data is {age / SECOND:.3f} s old, at most {allowed / SECOND:g} s")
    return None


# ---- step 6 ---------------------------------------------------------------------------------------
def _grant(signal: Signal, view: View, exits: bool) -> Refusal | None:
    """Judge symbol, timeframe and mode.

    What was taken from the deployment while it held it, a symbol or live trading, can still be exited.
    """
    held = exits and view.own.expected
    if signal.symbol not in view.symbols and not held:
        return Refusal("symbol_not_granted", f"{signal.symbol} is not one of {_some(view.symbols)}")
    if signal.timeframe not in view.timeframes and signal.timeframe not in CAUSES:
        return Refusal("timeframe_not_granted", f"{signal.timeframe} is not one of {_some(view.timeframes)}")
    if view.mode in {"paper", "backtest"}:
        return None
    if view.mode != "live":
        return Refusal("mode_unsupported", f"trading mode {view.mode}: there are paper, live and backtest")
    return None if exits else live(view.live)


def live(grant: LiveGrant) -> Refusal | None:
    """Judge whether all three have opted in to live trading; asked again when an order is routed."""
    missing = [name for name in LiveGrant.__struct_fields__ if getattr(grant, name) is not True]
    if not missing:
        return None
    return Refusal("live_not_granted", f"live trading is not allowed by: {', '.join(missing)}")


def _hours(view: View, now: int) -> Refusal | None:
    session = view.session
    if session.open is None:
        return Refusal("session_unknown", "the calendar of the symbol does not reach this far")
    if not session.open:
        return Refusal("session_closed", "the symbol is out of session")
    for who, party in caps.parties(view):
        windows = party.limits.allowed_sessions
        if windows is not None and (session.minute is None or not within(session.minute, windows)):
            return Refusal(
                "session_not_allowed", f"{_clock(session.minute)} is in no allowed session of {who}"
            )
    if session.square_off_at and now >= session.square_off_at:
        ago = (now - session.square_off_at) / SECOND
        return Refusal("squared_off", f"positions of this trading day were squared off {ago:.0f} s ago")
    return None


def _clock(minute: int | None) -> str:
    return "an unknown time" if minute is None else f"{minute // 60:02}:{minute % 60:02}"


def _some(names: AbstractSet[str]) -> str:
    shown = sorted(names)[:5]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(shown) + more if shown else "(none)"
