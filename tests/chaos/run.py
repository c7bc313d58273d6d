"""One run: everything up, the ticks played, faults done and taken back, quiet again, and then the account.

Bounded in every part, and single: one loop does what is due, starts again what died (as systemd would), and
looks at the processes. An undisturbed run is one with no faults.
"""

from __future__ import annotations

import heapq
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

from supervisor.client.calls import daemon, running
from supervisor.store.journal_file import JournalError
from supervisor.store.journal_reader import JournalReader
from tests.chaos import accounts
from tests.chaos.census import Census, take
from tests.chaos.deployed import Deployed
from tests.chaos.faults import Faults
from tests.chaos.market import SYMBOLS
from tests.chaos.plan import Fault
from tests.chaos.processes import bury
from tests.chaos.world import PATIENCE, World
from tests.waiting import until_due, wait_until

LOOK_EVERY = 0.05
"""Seconds between two looks at what runs."""
RESTART_AFTER = 0.3
"""Seconds after which a daemon that ended by itself is started again (RestartSec=)."""
QUIET = 4.0
"""Seconds without a new verdict that count as quiet."""

Say = Callable[[str], None]


class Result(NamedTuple):
    """What a run came to. ``findings`` is what must not be, a sentence each."""

    story: accounts.Story
    rows: list[dict[str, Any]]
    findings: list[str]
    census: Census | None
    done: Counter[str]
    deaths: Counter[str]
    notes: dict[str, float]


class Run:
    """A world lived through. ``live`` does it all, and leaves the daemon stopped."""

    def __init__(
        self, world: World, deployments: Sequence[Deployed], faults: Sequence[Fault], say: Say
    ) -> None:
        self._world = world
        self._deployments = deployments
        self._plan = list(faults)
        self._say = say
        self._began = time.monotonic()
        self._faults = Faults(world, time.monotonic)
        self._undoing: list[tuple[float, int, str, Callable[[], None]]] = []
        self._number = count()
        self._restart_at = 0.0
        self._most = 0
        self.findings: list[str] = []
        self._done: Counter[str] = Counter()

    def live(self) -> Result:
        """Live through it; what fails on the way is a finding and not an exception."""
        world = self._world
        world.redis.start()
        world.start_daemon()
        world.until_it_answers()
        self._deploy()
        self._say(f"{len(self._deployments)} deployments run")
        self._began = time.monotonic()
        for feed in world.markets:
            world.start_publisher(feed)
        self._until_known()
        self._began = time.monotonic()
        self._play()
        self._say("every tick is sent")
        self._settle()
        census = take(world)
        self._judge(census)
        result = self._account(census)
        self._end()
        return result._replace(findings=self.findings)

    @property
    def _at(self) -> float:
        return time.monotonic() - self._began

    # ---- living ---------------------------------------------------------------------------------
    def _deploy(self) -> None:
        def start(one: Deployed) -> None:
            symbols = [SYMBOLS[feed] for feed in one.feeds]
            started = running.start(
                one.id, strategy=one.strategy, symbols=symbols, timeframes=one.timeframes, account="chaos"
            )
            self._world.client.ask(started)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(start, self._deployments))

    def _until_known(self) -> None:
        """Wait until two heartbeats of each feed were heard: what came before is marked by then.

        An engine that dies with the very first words of a publisher leaves nobody who knows that it was
        heard, so the next one begins with what it hears first: docs/feeds.md says so.
        """

        def known() -> bool:
            rows = json.loads(self._world.client.call(daemon.feeds))
            return all(row["heartbeats"] >= 2 for row in rows)

        wait_until(known, timeout=PATIENCE, what="two heartbeats of each feed")

    def _play(self) -> None:
        """Do what is due until every tick is sent and everything is taken back."""
        world, patience = self._world, PATIENCE
        longest = max(len(one.messages) for one in world.markets.values()) / world.rate
        deadline = time.monotonic() + 3 * longest + patience
        while not world.over or self._undoing:
            if time.monotonic() > deadline:
                self.findings.append(f"the ticks were not sent within {deadline - self._began:.0f} s")
                break
            if world.over:
                self._plan.clear()
            self._step()
        while self._undoing:
            self._undo()

    def _step(self) -> None:
        due = time.monotonic() + LOOK_EVERY
        while self._plan and self._plan[0].at <= self._at:
            self._do(self._plan.pop(0))
        while self._undoing and self._undoing[0][0] <= self._at:
            self._undo()
        self._look()
        until_due(due)

    def _do(self, fault: Fault) -> None:
        done = self._faults.do(fault)
        self._done[fault.kind if done.hit else "met nobody"] += 1
        self._say(f"{self._at:6.1f} s  {fault}: {done.text}")
        if done.undo is not None:
            again = fault.at + fault.lasting if fault.lasting else self._at
            heapq.heappush(self._undoing, (max(again, self._at), next(self._number), fault.kind, done.undo))

    def _undo(self) -> None:
        _, _, kind, undo = heapq.heappop(self._undoing)
        undo()
        if kind == "kill supervisor":
            self._restart_at = 0.0
        self._say(f"{self._at:6.1f} s  over: {kind}")

    def _look(self) -> None:
        """Look after the daemon as systemd does, and count the processes of strategies."""
        world = self._world
        daemon = world.daemon
        expected = any(kind == "kill supervisor" for _, _, kind, _ in self._undoing)
        if daemon is not None and daemon.poll() is not None and not expected:
            if not self._restart_at:
                self._restart_at = time.monotonic() + RESTART_AFTER
                self._say(f"{self._at:6.1f} s  the daemon ended by itself with {daemon.returncode}")
                self._done["daemon ended by itself"] += 1
                if not self._faults.disk_full and self._faults.disk_full_at < world.daemon_since:
                    self.findings.append(f"the daemon ended by itself with {daemon.returncode}")
            elif time.monotonic() >= self._restart_at:
                self._restart_at = 0.0
                world.start_daemon()
        bury(_own(world))
        living = len(world.named("strategy"))
        if living > len(self._deployments):
            more = f"{living} strategies of {len(self._deployments)} deployments"
            self.findings.append(f"{more} lived at once, {self._at:.1f} s after the first tick")
        self._most = max(self._most, living)

    def _settle(self) -> None:
        """Wait until everybody runs and nothing more comes of the ticks that were sent.

        Verdicts on later data do not count: after the last tick, timers go on closing candles. Whoever comes
        further is waited for: a victim that dies every few seconds may be long behind the others.
        """
        world = self._world
        until = {one.symbol: one.last for one in world.markets.values()}
        since, deadline, seq = time.monotonic(), time.monotonic() + PATIENCE, 0
        reached: Counter[tuple[str, str]] = Counter()
        while time.monotonic() < deadline:
            until_due(time.monotonic() + 4 * LOOK_EVERY)
            self._look()
            rows = world.signals(after=seq)
            seq = rows[-1]["seq"] if rows else seq
            came = [row for row in rows if row["data_as_of"] and row["data_as_of"] <= until[row["symbol"]]]
            for row in came:
                who = (row["deployment_id"], row["symbol"])
                if row["data_as_of"] > reached[who]:
                    reached[who] = row["data_as_of"]
                    deadline = time.monotonic() + PATIENCE
            there = sum(row["state"] == "running" for row in world.rows().values())
            if came or there < len(self._deployments):
                since = time.monotonic()
            elif time.monotonic() - since >= QUIET:
                return
        states = Counter(row["state"] for row in world.rows().values())
        self.findings.append(f"not quiet, and no further for {PATIENCE:g} s: {dict(states)}")

    # ---- judging --------------------------------------------------------------------------------
    def _judge(self, census: Census) -> None:
        """Say what is not as it should be: wanted and observed, the API and /proc."""
        self.findings += census.findings({one.id for one in self._deployments})
        self.findings += self._faults.late

    def _account(self, census: Census) -> Result:
        world = self._world
        rows, fills, positions = [], [], []
        try:
            rows = world.signals()
            with JournalReader.open(world.state / "journal.db") as journal:
                fills, positions = journal.fills(after_seq=0, limit=10_000_000), journal.positions()
        except JournalError as error:
            self.findings.append(str(error))
        compared = {one.id for one in self._deployments if one.compared}
        until = {one.symbol: one.last for one in world.markets.values()}
        self.findings += accounts.refused(rows, compared, until)
        self.findings += accounts.repeated(rows)
        self.findings += accounts.overtaken(rows)
        self.findings += accounts.unbalanced(rows, fills, positions)
        deaths: Counter[str] = Counter()
        for event in world.events():
            if event["kind"] == "died":
                deaths[event["detail"].partition(":")[0]] += 1
            elif event["kind"] in {"impossible", "internal_error", "orphan_killed", "stuck"}:
                self.findings.append(f"event {event['seq']} {event['kind']}: {event['detail']}")
        notes = {
            "most strategies at once": float(self._most),
            "daemons": float(world.daemons),
            "slowest end of everything, s": self._faults.slowest_end,
            "verdicts": float(len(rows)),
            "seconds": self._at,
        }
        story = accounts.story(rows, compared, until)
        return Result(story, rows, self.findings, census, self._done, deaths, notes)

    def _end(self) -> None:
        """Stop in order; nothing may be left, and nobody may have written a traceback."""
        world = self._world
        left = world.tree()
        code = world.stop_daemon()
        if code != 0:
            self.findings.append(f"the daemon did not stop in order: {code}")
        with suppress(AssertionError):
            wait_until(lambda: not any(one.alive for one in left), timeout=5)
        self.findings += [f"{one.name} {one.pid} outlived the daemon" for one in left if one.alive]
        self.findings += tracebacks(world)


def _own(world: World) -> set[int]:
    mine = (world.daemon, *world.publishers.values(), *world.guests)
    return {one.pid for one in mine if one is not None}


def tracebacks(world: World) -> list[str]:
    """Return every traceback in what the daemons and their engines wrote, by its last line.

    What the daemon says is a JSON object a line; an engine or a zygote that fails writes to the same stderr.
    """
    lines = world.log.read_text(errors="replace").splitlines() if world.log.exists() else []
    return [
        f"traceback in the daemon's log: {_last_words(line, lines[place + 1 :])[:300]}"
        for place, line in enumerate(lines)
        if "Traceback (most recent call last)" in line
    ]


def _last_words(line: str, following: list[str]) -> str:
    with suppress(ValueError):
        said = json.loads(line)
        text = str(said.get("exception") or said.get("detail") or line).strip()
        return f"{said.get('event')} {said.get('deployment', '')}: {text.splitlines()[-1]}"
    return next((one for one in following if one and not one.startswith((" ", "\t", "{"))), line)
