"""What engine, zygote and wardens say, brought to where it belongs. Decides nothing, starts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from bus.messages import CellStats
from sandbox.signames import signal_name
from sandbox.spec import Died, WardenReport
from supervisor import control, live_parameters
from supervisor import life as lf
from supervisor.actor import Actor
from supervisor.cell_control import CellAnswered
from supervisor.events import EventLog
from supervisor.metrics.totals import Totals
from supervisor.trading_control import AlertTaken, Flooded, RouteOrder, SignalAnswered, TradingAnswer

AGAIN, SELDOM = 0.002, 0.25
"""Seconds between two looks at what a cell left behind: at first, and doubled up to."""


class News:
    """Listens to the engine (``EngineListener``) and to the cells (``CellListener``).

    The ``on_`` attributes are set by the daemon before anything is started.
    """

    def __init__(
        self,
        actors: Mapping[str, Actor],
        events: EventLog,
        problems: dict[str, str],
        totals: Totals | None = None,
    ) -> None:
        self._actors = actors
        self.totals = totals or Totals()
        self._events = events
        self._problems = problems
        self.stats: control.EngineStats | None = None
        """The last picture that the engine gave of itself."""
        self.rows: dict[str, control.DeploymentRow] = {}
        """What it said last of each deployment, kept when the instance is gone."""
        self.money: control.EngineStats | None = None
        """The last picture of the engine that lives; None while none does, as what is held goes on unseen."""
        self.journal_seq = 0
        self._last_words = ""
        self._begins_anew = False
        self.heard_at = 0.0
        """When the engine last said anything, in the loop's time."""
        self.engine_heard = asyncio.Event()
        """Set once the first engine is ready, or has died."""
        self.on_ready: Callable[[control.EngineReady], None] = lambda _ready: None
        self.on_stats: Callable[[control.EngineStats], None] = lambda _stats: None
        self.on_feed: Callable[[control.FeedTurned], None] = lambda _turned: None
        self.on_alert_taken: Callable[[AlertTaken], None] = lambda _answer: None
        self.on_signal_answered: Callable[[SignalAnswered], None] = lambda _answer: None
        self.on_trading_answer: Callable[[TradingAnswer], None] = lambda _answer: None
        self.on_route: Callable[[RouteOrder], None] = lambda _order: None
        self.on_state_answer: Callable[[control.StateAnswer], None] = lambda _answer: None
        self.on_cell_answered: Callable[[CellAnswered], None] = lambda _answer: None
        self.on_engine_gone: list[Callable[[], None]] = []
        self.on_zygote_awake: Callable[[], None] = lambda: None
        self.clear: Callable[[str, int], bool] = lambda _deployment_id, _generation: True
        """Ends what a cell left behind; whether nothing of it is left."""

    # ---- the engine -----------------------------------------------------------------------------
    def on_news(self, news: control.EngineNews) -> None:
        """Take what the engine says."""
        self.heard_at = asyncio.get_running_loop().time()
        match news:
            case control.EngineStats():
                self.stats, self.money, self.journal_seq = news, news, news.journal_seq
                self.rows.update((row.deployment_id, row) for row in news.deployments)
                self.totals.take(news.deployments)
                self.totals.committed(news.commits)
                self._take_holdings(news)
                self.on_stats(news)
            case control.CellSaid(deployment_id=name, generation=generation, word=word):
                self._cell_said(name, generation, word)
            case control.FeedTurned():
                self.on_feed(news)
            case control.StateAnswer():
                self.on_state_answer(news)
            case TradingAnswer():
                self.on_trading_answer(news)
            case SignalAnswered():
                self.on_signal_answered(news)
            case AlertTaken():
                self.on_alert_taken(news)
            case CellAnswered():
                self.on_cell_answered(news)
            case RouteOrder():
                self.on_route(news)
            case Flooded():
                if actor := self._actors.get(news.deployment_id):
                    actor.submit(lf.Breached(news.generation, "flood", news.detail))
            case control.EngineEvent():
                if news.kind == "signals_failed":
                    self._problems["signals"] = news.detail
                elif news.kind == "signals_bound":
                    self._problems.pop("signals", None)
                elif news.kind in ("journal_quarantined", "tape_quarantined"):
                    self._problems[news.kind] = news.detail  # until somebody restarts us: it is to be seen
                    self._begins_anew = self._begins_anew or news.kind == "journal_quarantined"
                elif news.kind == "engine_failed":
                    self._last_words = news.detail
                self._events.note(news.kind, news.detail, news.deployment_id, news.generation)
            case control.EngineReady():
                self.journal_seq = news.journal_seq
                for settled in ("engine", "signals"):
                    self._problems.pop(settled, None)
                self._events.note("engine_ready", f"journal at {news.journal_seq}")
                self.on_ready(news)
                self.engine_heard.set()

    def _take_holdings(self, news: control.EngineStats) -> None:
        """Bring what deployments without an instance hold up to date; the rest stays as it last was.

        Of whom nothing is said any more, nothing bars: a latch is told of as long as it is set.
        """
        told = {row.deployment_id for row in news.deployments}
        told |= {held.deployment_id for held in news.holdings}
        for name, row in self.rows.items():
            if row.latch is not None and name not in told:
                self.rows[name] = replace(row, latch=None)
        for held in news.holdings:
            name = held.deployment_id
            known = self.rows.get(name) or control.DeploymentRow(
                deployment_id=name, generation=0, counts=control.SignalCounts(), stats=CellStats()
            )
            self.rows[name] = replace(
                known, positions=held.positions, equity=held.equity, latch=held.latch, guards=held.guards
            )

    def _cell_said(self, name: str, generation: int, word: str) -> None:
        actor = self._actors.get(name)
        if actor is not None and word == "running":
            actor.submit(lf.Ready(generation))
            live_parameters.tell(actor.host, actor.deployment, generation)
        elif actor is not None and word == "bye":
            actor.on_bye(generation)

    def on_engine_death(self, code: int) -> None:
        """Take note: it is started again, the cells live on meanwhile."""
        why, self._last_words = self._last_words, ""
        end = f"killed by {signal_name(-code)}" if code < 0 else f"code {code}"
        self._problems["engine"] = f"the engine ended ({why or end}) and is being started again"
        self._events.note("engine_died", end)
        self.money = None
        for tell in self.on_engine_gone:
            tell()
        # Else it ended so that the next one can begin with another journal, or was killed, by nobody's fault.
        if not self._begins_anew and code >= 0:
            self.engine_heard.set()
        self._begins_anew = False

    def on_engine_unstarted(self, why: str) -> None:
        """Take note: nothing trades until there is room for it."""
        self._problems["engine"] = f"the engine could not be started again ({why}); it is tried until it is"
        self._events.note("engine_not_started", why)

    # ---- the cells ------------------------------------------------------------------------------
    def on_report(self, deployment_id: str, generation: int, report: WardenReport) -> None:
        """Pass on what a warden says."""
        if actor := self._actors.get(deployment_id):
            actor.on_report(generation, report)

    def on_ended(self, deployment_id: str, generation: int, died: Died) -> None:
        """Pass on a death, once nothing is left of what the cell left behind."""
        self._bury(deployment_id, generation, died, AGAIN)

    def _bury(self, deployment_id: str, generation: int, died: Died, wait: float) -> None:
        if not self.clear(deployment_id, generation):
            # What was killed takes a moment to be gone, and may have left more; until then this instance is
            # not over, and no other begins. One that cannot be killed is soon asked about more seldom.
            again = min(2 * wait, SELDOM)
            asyncio.get_running_loop().call_later(wait, self._bury, deployment_id, generation, died, again)
        elif actor := self._actors.get(deployment_id):
            actor.on_ended(generation, died)

    def on_zygote(self, *, awake: bool, detail: str) -> None:
        """Take note of how the zygote is."""
        self._events.note("zygote_ready" if awake else "zygote_died", detail)
        if awake:
            self._problems.pop("zygote", None)
            self.on_zygote_awake()
        else:
            self._problems["zygote"] = f"the zygote {detail} and is being started again"
