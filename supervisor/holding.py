"""Rules of the lifecycle for what no operator said: a feed is lost, or the schedule is closed. Pure.

They hold or end what runs and leave ``wanted`` alone, so whatever held it lets go of it by itself. Each is a
rule of ``lifecycle.TABLE``. A feed only pauses, and an operator's resume comes first; a schedule binds until
it opens or is changed.
"""

from __future__ import annotations

from msgspec.structs import replace

from supervisor.life import (
    Close,
    Direct,
    Life,
    Open,
    Policy,
    Release,
    Rule,
    Rung,
    State,
    Step,
    Suspend,
    Wanted,
    is_barred,
    is_held,
)
from supervisor.stepping import arm, descend, enter


def suspend(life: Life, event: Suspend, now: float, _policy: Policy) -> Step:
    """Its feed is lost: paused, if it runs, until that is back."""
    life = replace(life, suspended=event.feed)
    if life.state is not State.RUNNING:
        return life, []  # it will be paused when it is ready, or is
    return enter(life, State.PAUSED, now, event), [Direct(life.instance, "pause", event.reason)]


def release(life: Life, event: Release, now: float, _policy: Policy) -> Step:
    """The feed is back; one that waits for another, or for an operator or a schedule, goes on waiting."""
    if life.suspended != event.feed:
        return life, []
    return _go_on(replace(life, suspended=""), event, now)


def _go_on(life: Life, event: Release | Open, now: float) -> Step:
    if life.state is not State.PAUSED or is_held(life):
        return life, []
    return enter(life, State.RUNNING, now, event), [Direct(life.instance, "resume", event.reason)]


def close(first: Rung) -> Rule:
    """Outside its schedule what lives is ended, from rung ``first`` on, or paused; ``wanted`` stays."""

    def rule(life: Life, event: Close, now: float, policy: Policy) -> Step:
        life = _closed(life, event)
        if is_barred(life):
            life = replace(enter(life, State.STOPPING, now, event), ending="schedule")
            return descend(life, first, now, policy)
        if life.state is State.RUNNING:
            return enter(life, State.PAUSED, now, event), [Direct(life.instance, "pause", event.reason)]
        return life, []  # it will be paused when it is ready, or is

    return rule


def close_at_rest(life: Life, event: Close, now: float, _policy: Policy) -> Step:
    """What is wanted, and would begin, says until when it does not."""
    life = _closed(life, event)
    waits = life.wanted is not Wanted.STOPPED and life.state not in (State.FAILED, State.QUARANTINED)
    return wait(life, now) if waits and is_barred(life) else (life, [])


def _closed(life: Life, event: Close) -> Life:
    """Note the word; after a ``stop`` the next instance begins at the present, as after an operator's."""
    life = replace(life, closed=event)
    return replace(life, begun=life.generation + 1) if is_barred(life) else life


def note_close(life: Life, event: Close, _now: float, _policy: Policy) -> Step:
    """It is being ended already: what follows then is decided then."""
    return _closed(life, event), []


def wait(life: Life, now: float) -> Step:
    """Come to rest until the schedule opens, and say when that is."""
    state = life.state if life.state is State.REGISTERED else State.STOPPED
    return arm(enter(life, state, now, life.closed), None), []


def reopen(life: Life, event: Open, now: float, _policy: Policy) -> Step:
    """Inside its schedule again: what that paused goes on; what it ended the shell takes up."""
    return _go_on(replace(life, closed=None), event, now)
