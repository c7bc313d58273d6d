"""The life of one deployment: ``step(life, event, now, policy) -> (life, effects)``, pure and whole.

Rules of this file. ``TABLE`` names every event that may meet every state; an event that is not in it
raises, because it means that the shell and this file disagree about the world. ``wanted`` is written by
operators' verbs only, ``state`` by what was observed (s6: flagwantup apart from state). An event of an
instance that is no longer the living one, and a timer that is no longer the armed one, are stale and
change nothing. ``now`` and every deadline are monotonic seconds; the wall clock is never asked. The shell
saves the new life first and carries out the effects after; it arms its one timer from ``life.due``.

The stop ladder: ``Ask`` (engine tells the cell), ``Terminate`` (warden ends it in order, writes the stack
when its grace is over), ``Abort`` (SIGABRT, for a warden that does not answer), ``Kill`` the strategy, then
the whole cell, until it is gone.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from sandbox.spec import Cause
from supervisor.holding import close, close_at_rest, note_close, release, reopen, suspend, wait
from supervisor.life import (
    Born,
    Breached,
    Close,
    Deferred,
    Denied,
    Direct,
    Due,
    Ended,
    Event,
    Halt,
    Life,
    Open,
    Pause,
    Policy,
    Prepared,
    Preparing,
    Ready,
    Recover,
    Release,
    Reset,
    Restart,
    Resume,
    Rule,
    Rung,
    Spawn,
    Start,
    State,
    Step,
    Stop,
    Suspend,
    Terminate,
    Wanted,
    is_barred,
    is_held,
)
from supervisor.stepping import arm, backoff_delay, descend, enter


class ImpossibleEventError(Exception):
    """An event that cannot meet this state: the shell is wrong about the world."""


def step(life: Life, event: Event, now: float, policy: Policy) -> Step:
    """Take one event. Returns the new life and what is to be done, in order.

    Raises ``ImpossibleEventError``, and nothing has happened then.
    """
    if (
        isinstance(event, Preparing | Prepared | Born | Ready | Ended | Breached)
        and event.generation != life.instance
    ):
        return life, []
    if isinstance(event, Due) and event.timer != life.timer:
        return life, []
    rule = TABLE[life.state].get(type(event))
    if rule is None:
        raise ImpossibleEventError(f"{type(event).__name__} while {life.state}")
    return rule(life, event, now, policy)


def cause_of(life: Life, event: Ended) -> Cause:
    """Why the instance ended: what the supervisor was ending it for, else what the warden saw."""
    return life.ending or event.cause


# ---- rules ----------------------------------------------------------------------------------------
def _unwant(life: Life, event: Stop, _now: float, _policy: Policy) -> Step:
    """At rest already: not even its schedule begins it any more."""
    waited = life.wanted is not Wanted.STOPPED and is_barred(life)
    life = replace(life, wanted=Wanted.STOPPED)
    return (replace(life, reason=event.reason, actor=event.actor) if waited else life), []


def _nothing(life: Life, _event: Event, _now: float, _policy: Policy) -> Step:
    return life, []


def _want(wanted: Wanted) -> Rule:
    """Only note what is wanted: the state will follow by itself."""

    def rule(life: Life, _event: Event, _now: float, _policy: Policy) -> Step:
        return replace(life, wanted=wanted), []

    return rule


def _want_while_wanted(wanted: Wanted) -> Rule:
    """Pause and resume change what is wanted of something that is to run, never start what was stopped."""

    def rule(life: Life, _event: Event, _now: float, _policy: Policy) -> Step:
        return (life if life.wanted is Wanted.STOPPED else replace(life, wanted=wanted)), []

    return rule


def _spawn(life: Life, event: Event, now: float, policy: Policy) -> Step:
    """Begin an instance, for whatever reason: the one door, which a schedule that is closed shuts."""
    if is_barred(life):
        return wait(life, now)
    life = enter(life, State.STARTING, now, event)
    generation = life.generation + 1
    held = is_held(life)
    life = replace(life, generation=generation, instance=generation, rung=Rung.NONE, ending=None)
    return arm(replace(life, held=held), now + policy.start_timeout), [Spawn(generation, paused=held)]


def _begin(life: Life, event: Event, now: float, policy: Policy) -> Step:
    """Start for an operator: where it was at rest, what came meanwhile is history to it."""
    if life.state is not State.BACKOFF:
        life = replace(life, begun=life.generation + 1)
    return _spawn(replace(life, wanted=Wanted.RUNNING, suspended=""), event, now, policy)


def _begin_again(life: Life, event: Event, now: float, policy: Policy) -> Step:
    """Start again after the delay, or because an operator does not wait for it; a wanted pause stays."""
    return _spawn(replace(life, restarts=life.restarts + 1), event, now, policy)


def _recover(life: Life, event: Recover, now: float, policy: Policy) -> Step:
    if life.wanted is Wanted.STOPPED:
        return life, []
    if event.unobserved and policy.restart == "never":
        return enter(life, State.FAILED, now, event, "its last end was not observed"), []
    if event.unobserved:
        # At once: that the daemon itself had to be started again was delay enough.
        exits, restarts = (*life.exits, now), life.restarts + 1
        life = replace(life, exits=exits, attempt=life.attempt + 1, restarts=restarts)
    return _spawn(life, event, now, policy)


def _defer(life: Life, event: Deferred, now: float, _policy: Policy) -> Step:
    return enter(life, life.state, now, event), []


def _preparing(life: Life, event: Preparing, now: float, _policy: Policy) -> Step:
    return arm(replace(life, reason=event.reason), now + event.seconds), []


def _prepared(life: Life, _event: Prepared, now: float, policy: Policy) -> Step:
    """Take the start up again: same generation, the whole time of a start."""
    held = is_held(life)
    life = replace(arm(life, now + policy.start_timeout), held=held, reason="")
    return life, [Spawn(life.instance, paused=held)]


def _born(life: Life, event: Born, now: float, _policy: Policy) -> Step:
    return enter(life, State.WARMING, now, event), []


def _ready(life: Life, event: Ready, now: float, policy: Policy) -> Step:
    paused = is_held(life)
    life = enter(life, State.PAUSED if paused else State.RUNNING, now, event)
    life = arm(life, now + policy.stable_time)
    if paused:
        # Said again although the gate may be shut: the cell had not subscribed when the gate was told.
        return life, [Direct(life.instance, "pause", "paused before it was ready")]
    return life, [Direct(life.instance, "resume", "resumed before it was ready")] if life.held else []


def _stable(life: Life, _event: Due, _now: float, _policy: Policy) -> Step:
    return replace(arm(life, None), attempt=0, exits=()), []


def _pause(life: Life, event: Pause, now: float, _policy: Policy) -> Step:
    life = replace(enter(life, State.PAUSED, now, event), wanted=Wanted.PAUSED)
    return life, [Direct(life.instance, "pause", event.reason)]


def _resume(life: Life, event: Resume | Start, now: float, _policy: Policy) -> Step:
    life = replace(life, wanted=Wanted.RUNNING, suspended="")
    if is_held(life):
        return life, []  # by its schedule, which no word of today undoes
    return enter(life, State.RUNNING, now, event), [Direct(life.instance, "resume", event.reason)]


def _leave(first: Rung, *, forget: bool = False) -> Rule:
    """Begin the ladder at ``first`` for an operator or the daemon; ``forget``: it is not to come back."""

    def rule(life: Life, event: Stop | Restart | Halt, now: float, policy: Policy) -> Step:
        life = enter(life, State.STOPPING, now, event)
        life = replace(life, ending="shutdown" if isinstance(event, Halt) else "operator")
        if forget:
            life = replace(life, wanted=Wanted.STOPPED)
        return descend(life, Rung.KILL if event.at_once else first, now, policy)

    return rule


def _late(life: Life, event: Due, now: float, policy: Policy) -> Step:
    life = enter(life, State.STOPPING, now, event, f"not ready within {policy.start_timeout:g} s")
    life = replace(life, ending="start_timeout")
    # No grace: the warden writes the stack at once, which says what it was waiting for.
    life, _ = descend(life, Rung.TERMINATE, now, policy)
    return life, [Terminate(life.instance, life.reason, 0.0)]


def _breached(life: Life, event: Breached, now: float, policy: Policy) -> Step:
    life = replace(enter(life, State.STOPPING, now, event), ending=event.cause)
    return descend(life, Rung.KILL, now, policy)


def _next_rung(life: Life, _event: Due, now: float, policy: Policy) -> Step:
    return descend(life, Rung(min(life.rung + 1, Rung.STUCK)), now, policy)


def _stop_anyway(life: Life, event: Stop, now: float, policy: Policy) -> Step:
    """Change nothing but what follows; with ``at_once`` go to the last rung."""
    life = replace(life, wanted=Wanted.STOPPED)
    return _hurry(life, event, now, policy)


def _start_after(life: Life, event: Restart, now: float, policy: Policy) -> Step:
    """Restart of one that is being stopped: it comes back, as wanted before if that is still known."""
    life = replace(life, wanted=Wanted.RUNNING if life.wanted is Wanted.STOPPED else life.wanted)
    return _hurry(life, event, now, policy)


def _halt_anyway(life: Life, event: Halt, now: float, policy: Policy) -> Step:
    if life.ending != "flood":  # which the next daemon must not take for one that may begin again
        life = replace(life, ending="shutdown")
    return _hurry(life, event, now, policy)


def _hurry(life: Life, event: Stop | Restart | Halt, now: float, policy: Policy) -> Step:
    if event.at_once and life.rung < Rung.KILL:
        return descend(life, Rung.KILL, now, policy)
    return life, []


def _rest(state: State, *, forget: bool) -> Rule:
    """No process: come to rest in ``state``. Timers die, so nothing starts by itself any more.

    What is still wanted is still suspended: the next daemon begins with both.
    """

    def rule(life: Life, event: Event, now: float, _policy: Policy) -> Step:
        wanted = Wanted.STOPPED if forget else life.wanted
        suspended = "" if wanted is Wanted.STOPPED else life.suspended
        return replace(arm(enter(life, state, now, event), None), wanted=wanted, suspended=suspended), []

    return rule


def _reset(life: Life, event: Reset, now: float, policy: Policy) -> Step:
    return _rest(State.STOPPED, forget=True)(replace(life, attempt=0, exits=()), event, now, policy)


def _clear(life: Life, _event: Reset, _now: float, _policy: Policy) -> Step:
    return replace(life, attempt=0, exits=()), []


def _ended(life: Life, event: Ended, now: float, policy: Policy) -> Step:
    """Rest, begin again at once, wait and begin again, or give up."""
    ending, cause = life.ending, cause_of(life, event)
    life = replace(life, instance=0, rung=Rung.NONE, ending=None)
    if ending == "shutdown" or (ending is not None and life.wanted is Wanted.STOPPED):
        return _because_of(life, _rest(State.STOPPED, forget=False)(life, event, now, policy))
    if ending == "flood":  # not the first step of a crash loop: the next instance would do the same
        return arm(enter(life, State.QUARANTINED, now, event, f"flood: {life.reason}"), None), []
    if ending in ("operator", "schedule"):
        done = _spawn(life, event, now, policy)
        return done if is_barred(life) else _because_of(life, done)
    why = f"{cause}: {event.detail}" if event.detail else str(cause)
    clean = cause == "exit" and event.exit_code in policy.success
    if cause == "load_error" or event.exit_code in policy.prevent:
        return arm(enter(life, State.FAILED, now, event, why), None), []
    if policy.restart == "never" or (clean and policy.restart == "on-failure"):
        return arm(enter(life, State.STOPPED if clean else State.FAILED, now, event, why), None), []
    exits = tuple(at for at in life.exits if at > now - policy.window)
    exits = exits if event.unborn else (*exits, now)
    life = replace(life, exits=exits, attempt=life.attempt + 1)
    if len(exits) > policy.max_exits:
        why = f"crash_loop: {len(exits)} unplanned exits within {policy.window:g} s, the last by {why}"
        return arm(enter(life, State.QUARANTINED, now, event, why), None), []
    if is_barred(life):
        return wait(life, now)
    delay = backoff_delay(life.attempt - 1, event.chance, policy)
    return arm(enter(life, State.BACKOFF, now, event, why), now + delay), []


def _because_of(life: Life, done: Step) -> Step:
    """Keep who wanted the end, and why: that it then came is no reason."""
    return replace(done[0], reason=life.reason, actor=life.actor), done[1]


# ---- the table ------------------------------------------------------------------------------------
_RESTING: dict[type[Event], Rule] = {
    Start: _begin, Restart: _begin, Pause: _nothing, Resume: _nothing,
    Stop: _unwant, Reset: _nothing, Halt: _nothing, Recover: _recover,
    Deferred: _defer, Denied: _rest(State.FAILED, forget=False), Suspend: _nothing, Release: release,
    Close: close_at_rest, Open: reopen,
}  # fmt: skip
_GIVEN_UP: dict[type[Event], Rule] = {
    **_RESTING, Reset: _reset, Recover: _nothing, Deferred: _nothing, Denied: _nothing,
}  # fmt: skip
_BECOMING: dict[type[Event], Rule] = {
    Start: _want(Wanted.RUNNING), Pause: _want_while_wanted(Wanted.PAUSED), Resume: _want(Wanted.RUNNING),
    Stop: _leave(Rung.TERMINATE, forget=True), Restart: _leave(Rung.TERMINATE), Halt: _leave(Rung.TERMINATE),
    Reset: _clear, Ready: _ready, Ended: _ended, Breached: _breached, Due: _late,
    Suspend: suspend, Release: release, Close: close(Rung.TERMINATE), Open: reopen,
}  # fmt: skip
_UP: dict[type[Event], Rule] = {
    Stop: _leave(Rung.ASK, forget=True), Restart: _leave(Rung.ASK), Halt: _leave(Rung.ASK), Reset: _clear,
    # Born and Ready travel by different sockets; Ready may win, and the engine repeats it after a restart.
    Born: _nothing, Ready: _nothing, Ended: _ended, Breached: _breached, Due: _stable,
    Suspend: suspend, Release: release, Close: close(Rung.ASK), Open: reopen,
}  # fmt: skip

TABLE: Mapping[State, Mapping[type[Event], Rule]] = {
    State.REGISTERED: _RESTING,
    State.STOPPED: _RESTING,
    State.FAILED: _GIVEN_UP,
    State.QUARANTINED: _GIVEN_UP,
    State.STARTING: {**_BECOMING, Preparing: _preparing, Prepared: _prepared, Born: _born},
    State.WARMING: _BECOMING,
    State.RUNNING: {**_UP, Start: _nothing, Pause: _pause, Resume: _nothing},
    State.PAUSED: {**_UP, Start: _resume, Pause: _want(Wanted.PAUSED), Resume: _resume},
    State.STOPPING: {
        Start: _want(Wanted.RUNNING), Pause: _want_while_wanted(Wanted.PAUSED),
        Resume: _want_while_wanted(Wanted.RUNNING), Stop: _stop_anyway, Restart: _start_after,
        Halt: _halt_anyway, Reset: _clear, Preparing: _nothing, Prepared: _nothing, Born: _nothing,
        Ready: _nothing, Breached: _nothing, Ended: _ended, Due: _next_rung, Suspend: suspend,
        Release: release, Close: note_close, Open: reopen,
    },
    State.BACKOFF: {
        Start: _begin, Restart: _begin_again, Pause: _want_while_wanted(Wanted.PAUSED),
        Resume: _want(Wanted.RUNNING), Stop: _rest(State.STOPPED, forget=True), Reset: _clear,
        Halt: _rest(State.STOPPED, forget=False), Due: _begin_again, Suspend: suspend, Release: release,
        Close: close_at_rest, Open: reopen,
    },
}  # fmt: skip
"""State x event. What is not here is impossible."""
