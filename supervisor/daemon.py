"""The supervisor process: owns every part, starts them in order, stops them in reverse, decides nothing.

Rules of this file. One thread runs the loop and starts every process (PR_SET_PDEATHSIG follows the thread);
the database and the sampler have a thread of their own each, because they may block. A signal handler only
sets what the loop then sees. Whatever was wanted when the daemon ended is wanted when it starts again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import signal
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

import structlog

from sandbox.confine.process import become_subreaper
from sandbox.confine.survey import Survey
from sandbox.nursery import Nursery
from sandbox.spec import Held
from supervisor import life as lf
from supervisor.account_limits import AccountLimits
from supervisor.accounts import Accounts
from supervisor.actor import Actor
from supervisor.alerts import Alerts
from supervisor.approvals import Approvals
from supervisor.briefing import Briefing
from supervisor.catalogue import Catalogue, events_of
from supervisor.cells import Cells
from supervisor.checkpoints import Checkpoints
from supervisor.clearance import Clearing
from supervisor.code_store import CodeStore
from supervisor.config import Settings
from supervisor.dependants import Dependants
from supervisor.enforcers import NOBODY, Enforcers
from supervisor.engine_client import EngineClient
from supervisor.errors import Failed
from supervisor.events import EventLog
from supervisor.feeds import Calendars
from supervisor.host import Host
from supervisor.installing import package_store
from supervisor.logs import LogBook
from supervisor.metrics.scrape import Scrape
from supervisor.metrics.totals import Totals
from supervisor.mirror import Mirror
from supervisor.news import News
from supervisor.notifying.dispatcher import Dispatcher
from supervisor.premises import Premises
from supervisor.pulse import Pulse, Samples
from supervisor.questions import Questions
from supervisor.recovery import open_mirror
from supervisor.registering.registrar import Registrar
from supervisor.reload import Reloading, admission_of, rules_of
from supervisor.remains import Remains
from supervisor.routes.routing import Routing
from supervisor.sampler import Sampler
from supervisor.scheduling import Scheduling
from supervisor.schema import RescanResult
from supervisor.signal_tail import SignalTail
from supervisor.store.deployments import DeploymentStore, StoreError
from supervisor.store.formats import FormatsError
from supervisor.store.high_mark import HighMark
from supervisor.store.tables import DeathRecord, Deployment, Standing
from supervisor.store.upgrade import bring_up
from supervisor.streaming.hub import Hub
from supervisor.streaming.world import DaemonWorld
from supervisor.survey import take, with_groups
from supervisor.systemd import Notifier
from supervisor.trading_setup import TradingSetup
from supervisor.trust import summary
from supervisor.verbs import Verbs

MIGRATING = 1800.0
"""Seconds that systemd is asked for where the state directory has to be migrated."""
LEAVING = 10.0
"""Seconds that the daemon's own parts may take to end, at most, after the strategies have."""
log = structlog.get_logger()
T = TypeVar("T")


class Daemon:
    """Everything that one daemon owns. ``start``, then ``run_until_stopped``, then ``stop``."""

    def __init__(
        self,
        settings: Settings,
        *,
        calendars: Calendars,
        config: Path | None = None,
        reread: Callable[[], Settings] | None = None,
        notifier: Notifier | None = None,
        survey: Callable[[str], Survey] = take,
    ) -> None:
        self.settings = settings
        self.config = config
        self.premises = Premises(settings.runtime_dir, settings.state_dir)
        self.store = DeploymentStore(settings.database_url)
        self.catalogue = Catalogue(settings.strategies.path, CodeStore(settings.state_dir / "code"))
        self.actors: dict[str, Actor] = {}
        self.notifier = notifier or Notifier()
        self.started_at = time.time_ns()
        self.born_at = time.monotonic()
        self.problems: dict[str, str] = {}
        """Sentences about what is not as it should be, by what it is about."""
        self.stopping = False
        self.calendars = calendars
        self._survey = survey
        self._database = ThreadPoolExecutor(1, "database")
        self._stop_asked = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.sampler = Sampler()
        self.events = EventLog(self.store, self.in_database, mark=HighMark(settings.state_dir / "events.seq"))
        self.enforcers = Enforcers(
            # The runtime directory is held by a lock, so the groups under its name are nobody else's.
            key=hashlib.sha256(os.fsencode(settings.runtime_dir)).hexdigest()[:12],
            groups=settings.quota.cgroup,
            cpu_policy=settings.quota.cpu_policy,
            note=self.events.note,
        )
        self.totals = Totals()
        self.news = News(self.actors, self.events, self.problems, self.totals)
        self.engine = EngineClient(settings.runtime_dir, settings.state_dir, self.news)
        self.briefing = Briefing(self, self._spawn)
        self._nursery = Nursery(root=settings.runtime_dir / "root")
        self.cells = Cells(self._nursery, self.news, self.enforcers.joining)
        self.news.on_zygote_awake = lambda: self.sampler.descend_from(self.cells.zygote_pid)
        self.pulse = Pulse(self.sampler, self.notifier, on_samples=self._judge, tick=self._tick)
        self._remains = Remains(self.enforcers, self.events, self._known)
        self.news.clear = self._remains.clear
        self.on_loss = {name: feed.on_loss for name, feed in settings.feeds.items()}
        self.dependants = Dependants(self.actors, self.on_loss)
        self.news.on_feed = self.dependants.on_turn
        self.limits = AccountLimits(settings.state_dir, self.events, self.briefing.settings)
        self.trading = TradingSetup(settings.state_dir, self.events, self.problems, self.limits)
        self.clearing = Clearing(lambda: self.settings, self.engine, self.events, self.problems)
        self.signals = SignalTail(settings.state_dir / "journal.db")
        self.checkpoints = Checkpoints(self.signals, self.engine)
        self.news.on_state_answer = self.checkpoints.on_answer
        self.news.on_engine_gone.append(self.checkpoints.on_engine_death)
        self.accounts = Accounts(self)
        self.approvals = Approvals(self)
        self.alerts = Alerts(self)
        self.questions = Questions(self)
        self.hub = Hub(DaemonWorld(self))
        self.scrape = Scrape(self)
        self.routing = Routing(settings.route_specs, self.engine.tell, self.events.note, self.problems)
        self.news.on_route = self.routing.take
        self.mirror: Mirror | None = None
        self.notifications = Dispatcher(self)
        self.host = self._host()
        self.registrar = Registrar(self)
        self.verbs = Verbs(
            self.actors,
            self.host,
            self.catalogue,
            admission=admission_of(settings, lambda: self.processes),
            new_actor=self._actor,
            held=self.accounts.held,
        )
        self.scheduling = self.verbs.timetable = Scheduling(self, self._spawn)
        self.reloading = Reloading(self, reread)

    def _host(self) -> Host:
        return Host(
            cells=self.cells,
            engine=self.engine,
            events=self.events,
            packages=package_store(self.settings, self.actors),
            enforcers=self.enforcers,
            sampler=self.sampler,
            store=self.store,
            in_database=self.in_database,
            **rules_of(self.settings),
            code=self.catalogue.code,
            why_not=self.catalogue.why_not,
            totals=self.totals,
        )

    async def in_database(self, call: Callable[[], T]) -> T:
        """Run a blocking call on the database's thread, one after the other."""
        return await asyncio.get_running_loop().run_in_executor(self._database, call)

    # ---- start ----------------------------------------------------------------------------------
    async def start(self) -> None:
        """Bring everything up. Raises ``Failed`` with a sentence; then ``stop`` still has to be called."""
        await self.launch()
        await self.go_on()

    async def launch(self) -> None:
        """Start zygote and engine, which then import what they need: there is time for that here, too."""
        self.premises.enter()
        if self.premises.damaged:
            self.problems["identity"] = self.premises.damaged
        self.limits.load()
        survey = self._survey(self.settings.sandbox.setting)  # blocks, while nobody waits for us yet
        self._nursery.survey = survey
        become_subreaper()
        self._install_signals()
        try:
            upgraded = await self.in_database(self._bring_up)
        except FormatsError as error:
            raise Failed(str(error)) from None
        try:
            if moved := await self.in_database(self.store.open):
                self.problems["database"] = moved
            await self.events.start()
        except StoreError as error:
            raise Failed(f"the database cannot be used: {error}") from None
        await self.notifications.start()
        self.events.note("daemon_started", f"pid {os.getpid()}")
        if upgraded:
            self.events.note("state_migrated", upgraded)
        self.enforcers.start()  # before the zygote: of a delegated group the daemon moves into a leaf first
        self.events.note("quotas", f"control groups: {self.enforcers.detail}")
        if self.enforcers.held_by(None).cpu == NOBODY:
            self.problems["sampler"] = "/proc hides strategies: nothing holds their share (stratd doctor)"
        self.host.survey = with_groups(survey, held=self.enforcers.grouped, detail=self.enforcers.detail)
        self.events.note("sandbox", summary(self.host.survey, self.host.require))
        for problem in self.problems.values():
            self.events.note("problem", problem)
        self.cells.start()
        self.mirror = await open_mirror(self)
        await self._open_packages()
        await self.rescan()
        await self._load()  # before the engine, which is told of them first of all
        await self.routing.start()  # and before it says what waits for an answer
        self.engine.start()

    def _bring_up(self) -> str:
        settings = self.settings
        # Copying and migrating a large journal takes longer than a start may (sd_notify(3)).
        patience = f"EXTEND_TIMEOUT_USEC={int(MIGRATING * 1e6)}"
        return bring_up(
            settings.state_dir,
            settings.database_url,
            version=metadata.version("stratd"),
            now=time.time_ns(),
            begin=lambda: self.notifier.say(patience, "STATUS=migrating the state directory"),
        )

    async def go_on(self) -> None:
        """Once the engine is ready: have everything as it was wanted."""
        await self.briefing.first()
        self.sampler.follow(self.processes)
        self.trading.watch(lambda: self.settings, self.briefing.settings)
        self.clearing.start()
        self.pulse.start()
        self.dependants.let_go()
        await self.scheduling.first()
        self.verbs.recover()
        if self.mirror is not None:
            self.mirror.start()

    async def _open_packages(self) -> None:
        try:
            await self.host.packages.start()
        except OSError as error:
            raise Failed(f"cannot use {error.filename}: {error.strerror}") from None

    async def _load(self) -> None:
        def read() -> list[tuple[Deployment, Standing, list[DeathRecord]]]:
            return [(known, standing, self.store.deaths(known.id)) for known, standing in self.store.load()]

        for deployment, standing, newest_first in await self.in_database(read):
            actor = self._actor(deployment, standing)
            self.actors[deployment.id] = actor
            await actor.account(newest_first[::-1], rebooted=self.premises.rebooted)
            actor.start()
        for removed in await self.engine.removals.recall(self.actors):
            self.engine.forget(removed)

    def _actor(self, deployment: Deployment, standing: Standing) -> Actor:
        told = functools.partial(self.hub.lines, deployment.id)
        book = LogBook(self.premises.logs / f"{deployment.id}.log", told=told)
        return Actor(self.host, deployment, standing, book)

    # ---- signals --------------------------------------------------------------------------------
    def _install_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.ask_to_stop)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def ask_to_stop(self) -> None:
        """Stop in order; asked a second time, at once."""
        if self._stop_asked.is_set():
            self._halt(at_once=True)
        self._stop_asked.set()

    def _hang_up(self) -> None:
        if not self._stop_asked.is_set():  # a reload now would start what is being stopped
            self._spawn(self.reloading.at_signal())

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the loop itself holds tasks weakly
        task.add_done_callback(self._tasks.discard)

    async def run_until_stopped(self) -> None:
        """Wait for the first SIGTERM or SIGINT."""
        self.notifier.say("READY=1", f"STATUS=running {len(self.actors)} deployments")
        await self._stop_asked.wait()

    # ---- stop -----------------------------------------------------------------------------------
    def _halt(self, *, at_once: bool) -> None:
        for actor in reversed(self.actors.values()):
            actor.submit(lf.Halt(at_once=at_once))

    async def stop_deployments(self) -> None:
        """End every instance, the youngest first asked; what is wanted stays wanted."""
        self.stopping = self.verbs.closed = True
        ladder = self.host.policy.whole_ladder
        # systemd must not lose patience with what [restart] allows a strategy (sd_notify(3)).
        self.notifier.say("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int((ladder + LEAVING) * 1e6)}")
        self.events.note("daemon_stopping", "")
        self._halt(at_once=False)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._all_at_rest(), ladder)

    async def _all_at_rest(self) -> None:
        for actor in list(self.actors.values()):
            await actor.done()
            await actor.wait_for(lambda life: life.state not in lf.LIVING)

    async def stop(self) -> None:
        """Let go of everything, in the reverse order of ``start``. Also after a ``start`` that failed."""
        self.stopping = True
        await self.pulse.stop()
        await self.trading.stop()
        await self.clearing.stop()
        for actor in self.actors.values():
            await actor.close()
        await self.host.packages.close()
        self.cells.stop()
        await self._remains.leave_nobody()
        await self.enforcers.stop()
        await self.routing.stop()
        await self.engine.stop(grace=1.0)
        if self.mirror is not None:
            await self.mirror.stop(grace=2.0)
        await self.signals.close()
        for task in list(self._tasks):
            task.cancel()
        if self.events.seq:  # else it never began, and never says that it did
            self.events.note("daemon_stopped", "")
        await self.notifications.stop()
        await self.events.stop()
        await self.in_database(self.store.close)
        self._database.shutdown()
        self.premises.leave()

    async def tell_settings(self) -> None:
        """Tell the engine of the settings as they are now."""
        await self.briefing.settings()

    # ---- once a second --------------------------------------------------------------------------
    def _judge(self, samples: Samples) -> None:
        for (name, generation), sample in samples.items():
            if actor := self.actors.get(name):
                actor.on_sample(generation, sample)
            if sample.cpu_time is None:
                continue
            self.totals.used(name, generation, sample.cpu_time)
            # The watchdog measures callbacks by the clock; what a strategy was held for is not its own time.
            if (kept := self.enforcers.newly_kept((name, generation), sample.cpu_time)) > 0:
                self.cells.order(name, generation, Held(kept))

    def _tick(self) -> bool:
        """Look after what lives; returns whether everything shows life."""
        self.sampler.follow(self.processes)
        self._remains.look()
        self.scheduling.look()
        if self.enforcers.pressure.due():
            self._spawn(self.enforcers.pressure.look())
        return self.briefing.look()

    @property
    def processes(self) -> dict[str, int | None]:
        """Pids of the daemon's own processes by name, None for one that is being started again."""
        return {"supervisor": os.getpid(), "engine": self.engine.pid, "zygote": self.cells.zygote_pid}

    def _known(self) -> set[int]:
        return self.cells.pids() | {pid for pid in self.processes.values() if pid is not None}

    # ---- the catalogue --------------------------------------------------------------------------
    async def rescan(self) -> RescanResult:
        """Look for strategies again."""
        living = {actor.instance.attach.code_hash for actor in self.actors.values() if actor.instance}
        found = await self.in_database(lambda: self.catalogue.scan(self.registrar.paths(), living))
        for kind, detail in events_of(found):
            self.events.note(kind, detail)
        return found
