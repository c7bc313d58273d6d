"""What supervisor and engine say to each other, as types (AF_UNIX SOCK_SEQPACKET, one message a datagram).

The supervisor never sits on the path of a tick or a signal; this channel carries decisions down and
news up. The engine never waits for it: a datagram that does not fit is kept and sent later.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import Struct

from bus.histogram import Buckets
from bus.messages import CellStats, Position
from bus.sessions import SessionCalendar
from strategies.trading.latches import Latch
from strategies.trading.protection import Guard
from supervisor.cell_control import CellAnswered, CommandCell, InspectCell, SaveCell
from supervisor.trading_control import (
    AccountRow,
    AlertTaken,
    AnswerSignal,
    Clearances,
    Flooded,
    HoldingRow,
    OrderReport,
    Rearm,
    RouteOrder,
    SetLatch,
    SignalAnswered,
    TakeAlert,
    TradingAnswer,
)


class FeedSpec(Struct, frozen=True, kw_only=True):
    """One ``[feeds.NAME]`` section. ``calendar`` names a session calendar, "" is 24x7 in UTC."""

    name: str
    endpoint: str
    mode: Literal["connect", "bind"] = "connect"
    format: Literal["native", "cryptofeed", "openalgo", "dwx"] = "native"
    calendar: str = ""
    price: Literal["auto", "last", "bid", "ask", "mid", "mark"] = "auto"
    heartbeat: float = 3.0
    lateness: float = 0.0
    grace: float = 0.25
    venue_suffix: bool = False
    curve_server_key: str = ""
    recovery: str = "auto"
    """Where to ask for what was missed: an endpoint, ``auto`` (what its heartbeats say) or ``off``."""


class SignalsSpec(Struct, frozen=True, kw_only=True):
    """The ``[signals]`` section. An endpoint that is "" is the default one in the runtime directory.

    ``curve_secret_key`` makes both sockets CURVE servers. It travels to the engine in this message alone,
    never by its command line or environment, which others may read.
    """

    endpoint: str = ""
    replay_endpoint: str = ""
    curve_secret_key: str = ""

    def __repr__(self) -> str:
        key = "..." if self.curve_secret_key else ""
        return f"SignalsSpec({self.endpoint!r}, {self.replay_endpoint!r}, {key!r})"


# ---- supervisor -> engine -------------------------------------------------------------------------
class Configure(Struct, frozen=True, array_like=True, tag=1):
    """What is wanted from now on: feeds, their calendars as plain tables (bus/sessions.py), the way out.

    Every ``checkpoint_every`` seconds a cell that runs is asked for its state. ``trading`` is the digest of
    the file that says what is traded, for whom and on which terms (``TradingSpec``), "" for none.
    """

    feeds: list[FeedSpec]
    calendars: dict[str, SessionCalendar] = {}
    synthetic: Literal["deliver", "history_only", "off"] = "deliver"
    signals: SignalsSpec = SignalsSpec()
    checkpoint_every: float = 30.0
    trading: str = ""


class Attach(Struct, frozen=True, array_like=True, tag=2):
    """An instance is about to be born: expect its connection, fence out every older generation."""

    deployment_id: str
    generation: int
    token: str
    strategy: str
    version: str
    code_hash: str
    account_id: str
    trading_mode: str
    symbols: list[str]
    timeframes: list[str]
    warmup: int
    risk: dict[str, Any] = {}
    signals_per_s: int = 200
    begun: int = 0
    """The generation that an operator last started. Of a checkpoint from before it only the state counts, not
    the place on the tape: what came while it was stopped is history to it."""
    checkpoint_bytes: int = 2**20
    """The largest state that is kept of it."""


class Detach(Struct, frozen=True, array_like=True, tag=3):
    """The instance is gone: accept nothing more from it."""

    deployment_id: str
    generation: int


class Direct(Struct, frozen=True, array_like=True, tag=4):
    """Pause, resume or stop an instance: the gate follows at once, the cell by its command topic."""

    deployment_id: str
    generation: int
    verb: Literal["pause", "resume", "stop"]
    reason: str
    exit_only: bool = False


class Forget(Struct, frozen=True, array_like=True, tag=5):
    """Drop the journal's rows of a removed deployment that trading no longer needs; ``Forgotten`` follows."""

    deployment_id: str


class ShutDown(Struct, frozen=True, array_like=True, tag=6):
    """Commit, flush the outward sockets within ``grace`` seconds, exit 0."""

    grace: float = 1.0


class Expect(Struct, frozen=True, array_like=True, tag=7):
    """A deployment is to run: keep what it reads, also while it has no instance. No symbols: no longer."""

    deployment_id: str
    symbols: list[str] = []
    timeframes: list[str] = []


class RefuseState(Struct, frozen=True, array_like=True, tag=8):
    """An instance says that the state with which it was welcomed does not load: never give it out again."""

    deployment_id: str
    generation: int
    why: str


class RestoreState(Struct, frozen=True, array_like=True, tag=9):
    """Make checkpoint ``seq`` the newest of a deployment that has no instance; ``StateAnswer`` follows."""

    deployment_id: str
    seq: int
    request: int


class ClearState(Struct, frozen=True, array_like=True, tag=10):
    """Drop every checkpoint of a deployment that has no instance; ``StateAnswer`` follows."""

    deployment_id: str
    request: int


class GiveParameters(Struct, frozen=True, array_like=True, tag=20):
    """Publish to a living instance what its parameters are to be, all of them, in its stream.

    Said again it does no harm: a strategy that has them already is not called.
    """

    deployment_id: str
    generation: int
    parameters: dict[str, Any]


EngineOrder: TypeAlias = (
    Configure
    | Attach
    | Detach
    | Direct
    | Forget
    | ShutDown
    | Expect
    | RefuseState
    | RestoreState
    | ClearState
    | SetLatch
    | Rearm
    | OrderReport
    | Clearances
    | AnswerSignal
    | TakeAlert
    | GiveParameters
    | CommandCell
    | InspectCell
    | SaveCell
)


# ---- engine -> supervisor -------------------------------------------------------------------------
class EngineReady(Struct, frozen=True, array_like=True, tag=1):
    """Inner sockets bound, journal recovered. The outward ones follow ``Configure`` (``EngineStats``)."""

    epoch: int
    market_endpoint: str
    report_endpoint: str
    journal_seq: int


class CellSaid(Struct, frozen=True, array_like=True, tag=2):
    """A cell said hello, is running (warm), or said goodbye (every signal before it is journalled)."""

    deployment_id: str
    generation: int
    word: Literal["hello", "running", "bye"]


class EngineEvent(Struct, frozen=True, array_like=True, tag=3):
    """Something for the event log: a refused connection, a feed that went stale, an overdrawn rate."""

    kind: str
    detail: str
    deployment_id: str = ""
    generation: int = 0


class FeedRow(Struct, frozen=True, kw_only=True):
    """One feed as ``stratd feeds`` shows it; ``rejected`` counts refused frames and ticks by reason.

    ``crossed`` ticks have a bid above the ask; they were delivered. ``recovered`` messages were missed, and
    given again by the publisher.
    """

    name: str
    format: str
    endpoint: str
    mode: str
    state: str
    ticks: int = 0
    bars: int = 0
    heartbeats: int = 0
    gaps: int = 0
    late: int = 0
    duplicates: int = 0
    crossed: int = 0
    out_of_session: int = 0
    lag_ms: float | None = None
    last_tick_at: int | None = None
    sequenced: bool = False
    symbols: int = 0
    rejected: dict[str, int] = {}
    ignored: dict[str, int] = {}
    examples: dict[str, str] = {}
    recovered: int = 0


class SignalCounts(Struct, frozen=True, array_like=True):
    """Verdicts of one deployment, over its life."""

    accepted: int = 0
    rejected: int = 0
    duplicate: int = 0
    expired: int = 0


class DeploymentRow(Struct, frozen=True, kw_only=True):
    """What the engine knows of one deployment, once a second."""

    deployment_id: str
    generation: int
    counts: SignalCounts
    stats: CellStats
    published: int = 0
    positions: list[Position] = []
    equity: float | None = None
    """In its account's currency; None while a price or a rate is unknown, or the capital is."""
    latch: Latch | None = None
    guards: list[Guard] = []


class EngineStats(Struct, frozen=True, array_like=True, tag=4):
    """Once a second: the whole picture, so that a lost one costs nothing.

    ``signals_endpoint`` and ``replay_endpoint`` are where the outward sockets are bound, "" while not.
    """

    at: int
    journal_seq: int
    loop_ns_max: int
    feeds: list[FeedRow]
    deployments: list[DeploymentRow]
    signals_endpoint: str = ""
    replay_endpoint: str = ""
    accounts: list[AccountRow] = []
    holdings: list[HoldingRow] = []
    commits: Buckets = Buckets()
    """How long its commits to the journal took (``histogram.COMMITS``)."""


class StateAnswer(Struct, frozen=True, array_like=True, tag=5):
    """What became of a ``RestoreState`` or ``ClearState``: done and in the journal, or the ``problem``.

    Not ``changed``: it was the newest already.
    """

    request: int
    problem: str = ""
    changed: bool = True


class FeedTurned(Struct, frozen=True, array_like=True, tag=6):
    """A whole feed was lost (disconnected, or stale), or is healthy; ``symbols`` are those it brought."""

    feed: str
    healthy: bool
    detail: str
    symbols: list[str]


class Forgotten(Struct, frozen=True, array_like=True, tag=12):
    """A removed deployment is out of the journal, as ``Forget`` asked."""

    deployment_id: str


EngineNews: TypeAlias = (
    EngineReady
    | CellSaid
    | EngineEvent
    | EngineStats
    | StateAnswer
    | FeedTurned
    | TradingAnswer
    | RouteOrder
    | Flooded
    | SignalAnswered
    | AlertTaken
    | Forgotten
    | CellAnswered
)
