"""What the rules of the lifecycle are made of: a timer, a transition, a rung of the ladder, a delay. Pure."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from supervisor.life import Abort, Direct, Effect, Kill, Life, Policy, Rung, State, Step, Terminate


def arm(life: Life, due: float | None) -> Life:
    """Arm a new timer, or none; either way the old one is dead."""
    return replace(life, timer=life.timer + 1, due=due)


def enter(life: Life, state: State, now: float, event: Any, reason: str = "") -> Life:
    """Change the state, for the ``event`` that says who and why."""
    return replace(
        life,
        state=state,
        since=now,
        reason=reason or getattr(event, "reason", "") or getattr(event, "detail", ""),
        actor=getattr(event, "actor", "daemon"),
    )


def descend(life: Life, rung: Rung, now: float, policy: Policy) -> Step:
    """Take one rung of the ladder. Below KILL_CELL there is only killing again."""
    who, why = life.instance, life.reason
    rungs: dict[Rung, tuple[float, Effect]] = {
        Rung.ASK: (policy.ask_grace, Direct(who, "stop", why)),
        # The warden gets its whole grace, then a second for the stack, before it counts as hung itself.
        Rung.TERMINATE: (policy.terminate_grace + 1.0, Terminate(who, why, policy.terminate_grace)),
        Rung.ABORT: (policy.abort_grace, Abort(who)),
        Rung.KILL: (policy.kill_grace, Kill(who)),
        Rung.KILL_CELL: (policy.kill_grace, Kill(who, whole=True)),
        Rung.STUCK: (policy.kill_grace, Kill(who, whole=True)),
    }
    grace, effect = rungs[rung]
    return arm(replace(life, rung=rung), now + grace), [effect]


def backoff_delay(attempt: int, chance: float, policy: Policy) -> float:
    """Seconds before start ``attempt`` (from 0); ``chance`` in [0, 1) picks the place in the jitter."""
    # The exponent is bounded so that 2.0**attempt cannot overflow; the cap rules long before.
    delay = min(policy.delay_cap, policy.delay_base * 2.0 ** min(attempt, 60))
    return delay * (1.0 + policy.jitter * (2.0 * chance - 1.0))
