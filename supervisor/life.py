"""What the life of a deployment is made of: states, policy, events and effects. Plain data, no rule.

The rules are in ``supervisor/lifecycle.py``. Spans are seconds, instants are monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum, StrEnum
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from sandbox.spec import EXIT_CONFIG_ERROR, EXIT_LOAD_ERROR, Cause


class State(StrEnum):
    """What is observed of a deployment."""

    REGISTERED = "registered"  # never started
    STARTING = "starting"  # the zygote was asked
    WARMING = "warming"  # the process exists: loading, initialising, warm-up
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"  # somewhere on the stop ladder
    STOPPED = "stopped"
    BACKOFF = "backoff"  # died, will start again
    FAILED = "failed"  # will not start again by itself
    QUARANTINED = "quarantined"  # died too often, or flooded the gate


class Wanted(StrEnum):
    """What the operator wants of a deployment."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class Rung(IntEnum):
    """Where on the stop ladder a stopping instance is. STUCK: killed with its warden, and still there."""

    NONE = 0
    ASK = 1
    TERMINATE = 2
    ABORT = 3
    KILL = 4
    KILL_CELL = 5
    STUCK = 6


STUCK = "killed, and still there"
"""What is said of an instance on the last rung: its slot is taken until the kernel lets go of it."""
TRANSIENT = frozenset({State.STARTING, State.WARMING, State.STOPPING, State.BACKOFF})
"""States that must not last: each always has an armed timer."""
LIVING = frozenset({State.STARTING, State.WARMING, State.RUNNING, State.PAUSED, State.STOPPING})
"""States in which there is, or may be, a process."""


class Policy(Struct, frozen=True, kw_only=True):
    """How a deployment is started again and stopped. Spans are seconds.

    The delay before start ``n`` is ``min(delay_cap, delay_base * 2**n)``, spread by ``jitter`` either way.
    More than ``max_exits`` unplanned exits within ``window`` is a crash loop. Both tallies are cleared when
    an instance was ready for ``stable_time`` (the union of systemd, OTP, Nomad and s6).
    """

    restart: Literal["always", "on-failure", "never"] = "on-failure"
    delay_base: float = 1.0
    delay_cap: float = 60.0
    jitter: float = 0.25
    max_exits: int = 5
    window: float = 300.0
    stable_time: float = 30.0
    start_timeout: float = 60.0
    ask_grace: float = 5.0
    terminate_grace: float = 3.0
    abort_grace: float = 1.0
    kill_grace: float = 2.0
    success: frozenset[int] = frozenset({0})
    prevent: frozenset[int] = frozenset({EXIT_LOAD_ERROR, EXIT_CONFIG_ERROR})

    @property
    def whole_ladder(self) -> float:
        """Seconds that all rungs of the stop ladder may take, and time to be noticed."""
        return self.ask_grace + self.terminate_grace + self.abort_grace + 3 * self.kill_grace + 2


class Life(Struct, frozen=True, kw_only=True):
    """Everything that decides what happens next to one deployment.

    ``generation`` counts instances and only grows; ``instance`` is the generation of the living one, 0 for
    none. ``timer`` numbers timers: only the one with this number, due at ``due``, may fire. ``ending`` is
    why the supervisor itself is ending the instance, ``held`` that its gate was shut from birth. ``exits``
    are the unplanned exits still in the window, ``attempt`` counts those since the last stable run.
    ``begun`` is the generation that an operator last had begin at the present: what was saved before it does
    not say where to go on. ``suspended`` names the feed for want of which it is paused, though it is wanted
    running. ``closed`` is the word that it is outside its schedule, None inside, and is not kept: the clock
    says it anew. ``reason`` and ``actor`` explain the last transition.
    """

    state: State = State.REGISTERED
    wanted: Wanted = Wanted.STOPPED
    generation: int = 0
    instance: int = 0
    timer: int = 0
    due: float | None = None
    rung: Rung = Rung.NONE
    ending: Cause | None = None
    held: bool = False
    begun: int = 0
    suspended: str = ""
    closed: Close | None = None
    since: float = 0.0
    attempt: int = 0
    exits: tuple[float, ...] = ()
    restarts: int = 0
    reason: str = ""
    actor: str = ""


def is_barred(life: Life) -> bool:
    """Whether its schedule lets no instance of it begin now."""
    return life.closed is not None and life.closed.doing == "stop"


def is_held(life: Life) -> bool:
    """Whether the next instance, or this one when it is ready, is to be paused."""
    return life.wanted is Wanted.PAUSED or bool(life.suspended) or life.closed is not None


def comes_back(life: Life) -> bool:
    """Whether an instance of it lives, or one is to live again without an operator's word.

    Not the one that waits for its schedule: it will begin at the present, so nothing is kept for it.
    """
    if life.wanted is Wanted.STOPPED or life.state in (State.FAILED, State.QUARANTINED):
        return False
    return life.state in LIVING or not is_barred(life)


# ---- events: what operators want ------------------------------------------------------------------
class Start(Struct, frozen=True):
    """Run it. No effect on one that runs already."""

    actor: str = "operator"
    reason: str = ""


class Pause(Struct, frozen=True):
    """Keep it, but let it neither see ticks nor signal."""

    actor: str = "operator"
    reason: str = ""


class Resume(Struct, frozen=True):
    """The end of a pause. No effect on one that is not paused."""

    actor: str = "operator"
    reason: str = ""


class Stop(Struct, frozen=True):
    """End it and keep it ended; ``at_once`` skips to the last rung."""

    actor: str = "operator"
    reason: str = ""
    at_once: bool = False


class Restart(Struct, frozen=True):
    """End the instance and begin another."""

    actor: str = "operator"
    reason: str = ""
    at_once: bool = False


class Reset(Struct, frozen=True):
    """Out of failed or quarantined, with a clean tally."""

    actor: str = "operator"
    reason: str = ""


class Halt(Struct, frozen=True):
    """The daemon stops: end the instance, but what is wanted stays wanted."""

    actor: str = "daemon"
    reason: str = "the daemon stops"
    at_once: bool = False


class Suspend(Struct, frozen=True):
    """The ``feed`` that it reads is lost: pause it, though nobody wants that, until it is back."""

    feed: str
    reason: str
    actor: str = "daemon"


class Release(Struct, frozen=True):
    """The ``feed`` is back."""

    feed: str
    reason: str
    actor: str = "daemon"


class Close(Struct, frozen=True):
    """Its schedule is closed: end it (``stop``) or pause it, though it stays wanted as it was.

    Said again it puts ``reason``, which tells until when, in the place of the old one.
    """

    doing: Literal["stop", "pause"]
    reason: str
    actor: str = "schedule"


class Open(Struct, frozen=True):
    """Its schedule is open: from now on it is as it is wanted. What it ended is begun by ``Recover``."""

    reason: str
    actor: str = "schedule"


# ---- events: what happened ------------------------------------------------------------------------
class Recover(Struct, frozen=True):
    """The daemon came up: carry on with what was wanted, without a word from an operator.

    ``unobserved``: the last instance ended and nobody saw how, which counts as an unplanned exit.
    """

    actor: str = "daemon"
    reason: str = "the daemon started"
    unobserved: bool = False


class Deferred(Struct, frozen=True):
    """The daemon came up, and today's limits leave no room for it: it stays as it is, and says why."""

    actor: str = "daemon"
    reason: str = ""


class Denied(Struct, frozen=True):
    """The daemon came up, on a host that must not run it: it waits for an operator."""

    actor: str = "daemon"
    reason: str = ""


class Preparing(Struct, frozen=True):
    """What it needs is not there yet and is being made, for ``seconds`` at most: ``reason`` says what."""

    generation: int
    seconds: float
    reason: str


class Prepared(Struct, frozen=True):
    """It is there."""

    generation: int


class Born(Struct, frozen=True):
    """The strategy process exists."""

    generation: int


class Ready(Struct, frozen=True):
    """It is warm: from now on its signals count."""

    generation: int


class Ended(Struct, frozen=True):
    """Warden and strategy are gone. ``chance`` in [0, 1) draws the jitter of the delay that follows.

    ``unborn``: they never were, for the daemon could not do its part (its disk is full): that is no crash.
    """

    generation: int
    cause: Cause
    detail: str = ""
    exit_code: int | None = None
    chance: float = 0.5
    unborn: bool = False


class Breached(Struct, frozen=True):
    """A quota was broken in a way that ends the instance; ``flood`` is that of signals, and quarantines."""

    generation: int
    cause: Literal["memory_quota", "cpu_quota", "flood"]
    detail: str = ""


class Due(Struct, frozen=True):
    """The timer with this number fired."""

    timer: int


Verb: TypeAlias = Start | Pause | Resume | Stop | Restart | Reset | Halt
News: TypeAlias = Preparing | Prepared | Born | Ready | Ended | Breached | Due
Event: TypeAlias = Verb | Recover | Deferred | Denied | Suspend | Release | Close | Open | News


# ---- effects --------------------------------------------------------------------------------------
class Spawn(Struct, frozen=True):
    """Begin an instance; the gate must hold it ``paused`` from its first moment."""

    generation: int
    paused: bool = False


class Direct(Struct, frozen=True):
    """Tell the instance through the engine to pause, to resume or (first rung) to stop."""

    generation: int
    verb: Literal["pause", "resume", "stop"]
    reason: str


class Terminate(Struct, frozen=True):
    """Tell the warden to end the strategy in order within ``grace`` seconds."""

    generation: int
    reason: str
    grace: float


class Abort(Struct, frozen=True):
    """SIGABRT to the strategy: faulthandler writes the Python stack."""

    generation: int


class Kill(Struct, frozen=True):
    """SIGKILL to the strategy, whose warden then reports its last words; or to the ``whole`` cell."""

    generation: int
    whole: bool = False


Effect: TypeAlias = Spawn | Direct | Terminate | Abort | Kill
Step: TypeAlias = tuple[Life, list[Effect]]
Rule: TypeAlias = Callable[[Life, Any, float, Policy], Step]
"""What one event does in one state (``lifecycle.TABLE``)."""
