"""The place of the fight: a real zygote, an engine on real sockets, a neighbour, attackers side by side."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections import deque
from pathlib import Path
from typing import Any

from bus import topics
from bus.messages import Pulse, Signals, Stop, TakeCheckpoint, Tick, Ticks, encode
from sandbox.channel import close_all
from sandbox.confine.cgroup import Group, Tree
from sandbox.confine.cgroup_dialect import Bounds
from sandbox.confine.survey import Survey
from sandbox.handle import CellHandle
from sandbox.nursery import Nursery, WardenExited, ZygoteGone
from sandbox.spec import Budget, Budgets, CellSpec, Died, ExtraTime, Limits, Ready
from tests.attacks.catalogue import Act
from tests.attacks.results import Neighbour, Result
from tests.attacks.subject import END, STRETCH, Size, Stage, Subject, size_of
from tests.attacks.victims import Victims
from tests.sandbox.world import NOON, TOKEN, Engine
from tests.waiting import wait_until

HERE = Path(__file__).parent
WIDTH = 3 * (os.cpu_count() or 1)
"""Attackers at a time: most of them wait for something."""
TICK = 0.02
"""Seconds between two ticks of the neighbour."""
PULSE = 0.05
"""Seconds between two pulses of the engine, on which an idle warden looks after its strategy's output."""
MEASURE = 0.05
"""Seconds between two looks at the memory of the wardens."""
SHORT, LONG = 0.75 * STRETCH, 60.0 * STRETCH
"""Hard budget in seconds of a callback: of an act that may end by it, and of one that may not."""
NEIGHBOUR = "NEIGHBOUR"


class Arena:
    """One setting. ``open`` starts what the acts need, ``fight`` commits them, ``close`` ends everything.

    With a ``tree``, strategies are in control groups.
    """

    def __init__(self, folder: Path, secret: str, survey: Survey, tree: Tree | None) -> None:
        self._tree = tree
        self.nursery = Nursery(survey)
        self.victims = Victims(_made(folder / "daemon"), secret)
        self._engine = Engine(_made(folder / "engine"))
        self._secret = secret
        self._code = folder / "code"
        for name in ("attacker", "neighbour"):
            shutil.copytree(HERE / name, self._code / name, copy_function=_copy_for_all)
            (self._code / name).chmod(0o755)
        self._subjects: list[Subject] = []
        self._seq: dict[bytes, int] = {}
        self._spawned = 0
        self._measure_at = 0.0
        self._neighbour: CellHandle | None = None
        self._neighbour_ready = False
        self._deaths: list[str] = []
        self._tick_at = self._pulse_at = 0.0
        self._asked = 0
        self._unanswered: dict[int, float] = {}
        self._latencies: list[float] = []
        self._slowest: tuple[float, list[str]] = (0.0, [])

    # ---- a fight ----------------------------------------------------------------------------------
    def open(self) -> None:
        """Start the zygote and the neighbour; return once it is ready."""
        self.nursery.start()
        # Where tasks are counted for all together, it may be refused a thread until a bomb was ended.
        bare = self.nursery.survey is not None and self.nursery.survey.setting == "bare"
        given = {"secret": f"{self._secret}-of-the-neighbour", "patience": 1.0 if bare else 0.0}
        self._neighbour, _ = self._spawn(
            "neighbour", NEIGHBOUR, Budgets(tick=Budget(LONG, LONG)), given, conflate=False
        )
        deadline = time.monotonic() + END
        while not self._neighbour_ready:
            self._turn(time.monotonic())
            if self._deaths or time.monotonic() > deadline:
                raise RuntimeError(f"the neighbour did not start: {self._deaths}")

    def fight(self, acts: list[Act]) -> dict[str, Result]:
        """Commit all acts, ``WIDTH`` at a time; return what came of each."""
        waiting = deque(acts)
        results: dict[str, Result] = {}
        while waiting or self._subjects:
            while waiting and len(self._subjects) < WIDTH:
                self._subjects.append(self._start(waiting.popleft()))
            self._turn(time.monotonic())
            for subject in tuple(self._subjects):
                self._step(subject, time.monotonic())
                if subject.over:
                    self._subjects.remove(subject)
                    results[subject.act.name] = subject.finish(time.monotonic())
                    if self._tree is not None and subject.group is not None:
                        self._tree.discard(subject.group)
        return results

    def _start(self, act: Act) -> Subject:
        pid = self._neighbour.strategy_pid if self._neighbour else None
        context = self.victims.context(os.getpid(), pid or 0, secret=not act.own)
        given = {"source": act.source, "name": f"{act.name}.py", "at": act.at, "context": context}
        hard = SHORT if act.brief else LONG
        budget = Budget(soft=hard, hard=hard)
        starting = Budget(soft=hard, hard=hard if act.at == "initialize" else LONG)
        budgets = Budgets(
            tick=budget,
            candle=budget,
            initialize=starting,
            save_state=budget,
            cleanup=Budget(SHORT, SHORT),
            extra=ExtraTime(capacity=2.0, refill=0.0),
        )
        symbol = f"ACT{self._spawned}"
        handle, group = self._spawn("attacker", symbol, budgets, given)
        return Subject(act, handle, symbol, group, time.monotonic())

    def _step(self, subject: Subject, now: float) -> None:
        """Take a subject one stage further, if it is there."""
        if subject.handle.gone or subject.handle.closed:
            subject.over = True
        elif subject.outcome is not None and subject.stage is not Stage.STOPPING:
            # Once more, for what an act has changed; then the end, in order.
            self._ask(subject.symbol, 2.0)
            self._command(subject, Stop("the act is over"))
            subject.stage, subject.deadline = Stage.STOPPING, now + END
        elif subject.ready and subject.stage is Stage.STARTING:
            self._strike(subject)
            subject.stage, subject.deadline = Stage.STRUCK, now + LONG + END
        elif now > subject.deadline:
            subject.give_up(f"it was still {subject.stage} when it had to be killed")
            subject.deadline = now + END

    def _strike(self, subject: Subject) -> None:
        match subject.act.at:
            case "on_tick":
                self._ask(subject.symbol, 1.0)
            case "save_state":
                self._command(subject, TakeCheckpoint())
            case "on_stop" | "cleanup":
                self._command(subject, Stop("now"))

    # ---- the world --------------------------------------------------------------------------------
    def _spawn(
        self, name: str, symbol: str, budgets: Budgets, parameters: dict[str, Any], *, conflate: bool = True
    ) -> tuple[CellHandle, Group | None]:
        self._spawned += 1
        granted = CellSpec(
            deployment_id=f"{name}-{self._spawned}",
            generation=1,
            strategy=name,
            version="1.0.0",
            code_path=str(self._code / name),
            account_id="paper-1",
            trading_mode="paper",
            symbols=[symbol],
            timeframes=["1m"],
            parameters=parameters,
            market_endpoint=self._engine.market_endpoint,
            report_endpoint=self._engine.report_endpoint,
            token=TOKEN,
            conflate=conflate,
            limits=Limits(),
            budgets=budgets,
        )
        if self._tree is None:
            return self.nursery.spawn(granted), None
        group = self._tree.group(granted.deployment_id, granted.generation)
        group.make(Bounds(granted.limits.memory, None, granted.limits.processes))
        joining = group.open()
        try:
            return self.nursery.spawn(granted, joining), group
        finally:
            close_all(joining)

    def _ask(self, symbol: str, price: float) -> None:
        """Publish one tick."""
        topic = topics.tick(symbol)
        seq = self._seq[topic] = self._seq.get(topic, 0) + 1
        tick = Tick(symbol, NOON + seq, price, 1.0)
        self._engine.publish(topic, encode(Ticks(self._engine.epoch, seq, [tick])))

    def _command(self, subject: Subject, body: Any) -> None:
        self._engine.command(subject.handle.deployment_id, subject.handle.generation, body)

    def _turn(self, now: float) -> None:
        """One round: the engine's sockets, the wardens' reports, the zygote's, the neighbour's ticks."""
        self._engine.hub.wait(0.002)
        for news in self.nursery.read():
            if isinstance(news, ZygoteGone):
                raise RuntimeError(f"the zygote ended: {news.code}")  # noqa: TRY004 - of what is news
            if isinstance(news, WardenExited) and news.cell is self._neighbour:
                self._deaths.append(f"its warden ended: {news.code}")
        for subject in self._subjects:
            subject.take(subject.handle.receive())
        if now - self._measure_at > MEASURE:
            self._measure_at = now
            for subject in self._subjects:
                subject.measure()
        self._hear(time.monotonic())
        if now - self._pulse_at >= PULSE:
            self._pulse_at = now
            self._engine.publish(topics.PULSE, encode(Pulse(self._engine.epoch, NOON, {})))
        if self._neighbour_ready and now - self._tick_at >= TICK:
            self._tick_at = now
            self._asked += 1
            self._unanswered[self._asked] = time.monotonic()
            self._ask(NEIGHBOUR, float(self._asked))

    def _hear(self, now: float) -> None:
        """Take what the cells said to the engine, and what the neighbour's warden reported."""
        assert self._neighbour is not None
        for report in self._neighbour.receive():
            if isinstance(report, Ready):
                self._neighbour_ready = True
            elif isinstance(report, Died):
                self._deaths.append(f"{report.cause}: {report.detail}")
        for user, report in self._engine.said:
            if isinstance(report, Signals) and user == f"{self._neighbour.deployment_id}:1":
                for signal in report.signals:
                    self._answered(int(signal.quantity or 0), now)
        self._engine.said.clear()

    def _answered(self, number: int, now: float) -> None:
        sent = self._unanswered.pop(number, None)
        if sent is None:
            self._deaths.append(f"tick {number} was answered that was never sent, or twice")
            return
        took = now - sent
        self._latencies.append(took)
        if took > self._slowest[0]:
            self._slowest = (took, [subject.act.name for subject in self._subjects])

    # ---- the end ----------------------------------------------------------------------------------
    def rest(self) -> Neighbour:
        """Let the neighbour answer what it was asked, and tell how it fared."""
        deadline = time.monotonic() + END
        ready, self._neighbour_ready = self._neighbour_ready, False
        while self._unanswered and time.monotonic() < deadline:
            self._turn(time.monotonic())
        self._neighbour_ready = ready
        size = size_of(self._neighbour.warden_pid if self._neighbour else None) or Size(0, 0)
        return Neighbour(
            asked=self._asked,
            answered=len(self._latencies),
            median=statistics.median(self._latencies) if self._latencies else 0.0,
            slowest=self._slowest[0],
            beside=self._slowest[1],
            deaths=self._deaths,
            warden_peak=size.peak,
            warden_slots=size.slots,
        )

    def close(self) -> None:
        """End everything that was started here."""
        handles = [subject.handle for subject in self._subjects]
        for handle in [*handles, self._neighbour]:
            if handle is not None:
                handle.kill()
                handle.close()
        self.nursery.close()
        if self._tree is not None:
            self._clear(self._tree)
        self._engine.close()
        self.victims.close()

    def _clear(self, tree: Tree) -> None:
        """Remove every group, those of who is still dying as soon as they are dead."""
        if self._neighbour is not None:
            tree.discard(tree.group(self._neighbour.deployment_id, self._neighbour.generation))
        wait_until(lambda: not tree.tidy(), what="every group is empty")
        tree.close()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _copy_for_all(source: str, target: str) -> str:
    """Copy a file so that the uid of a cell may read it, whatever the umask of the checkout was."""
    copied: str = shutil.copyfile(source, target)
    Path(copied).chmod(0o644)
    return copied
