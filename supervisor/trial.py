"""Throw-away cells, the same as deployments', outside of any daemon: one after the other, birth to death.

A trial is to its cell what engine and supervisor are to a real one, but for a control group: its limits, its
budgets and a deadline hold it. Rules of this file. It blocks, and owns 0MQ sockets: it runs in a process that
is there for it (``stratd validate``, ``supervisor/registering/process.py``), never in the daemon.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bus import messages, topics
from bus.sockets import Gatekeeper, Hub, MarketSocket, ReportSocket
from sandbox.confine.survey import Survey
from sandbox.handle import CellHandle
from sandbox.nursery import NotForked, Nursery, NurseryError, WardenExited, ZygoteGone
from sandbox.spec import (
    Budget,
    Budgets,
    CellSpec,
    Died,
    Limits,
    LogLines,
    Ready,
    Terminate,
    WardenReport,
    Warned,
)
from strategies.plugins import Found

DEPLOYMENT = "validate"
BUDGETS = Budgets(initialize=Budget(5.0, 15.0))
DEADLINE = 40.0
"""Seconds for one trial: the zygote's imports, ``initialize`` and ``cleanup`` at their hard budgets."""
GRACE = 5.0
MEMORY_WITH_PACKAGES = 2**30
"""Bytes for one that needs packages: enough for the usual ones. What a deployment may take is its own."""
MOST_LINES = 200
"""Lines of a cell's output that are kept, the last ones."""
PIECE = 200
"""Messages that are sent before reports are looked at again."""
_decode_report = msgspec.msgpack.Decoder(messages.CellReport).decode


class Outcome(Struct, frozen=True, kw_only=True):
    """How one cell fared. ``ready`` seconds from its fork until it was warm, None if it never was.

    ``played`` is whether it was told all that there was to tell. ``signals`` counts what it asked for; a
    warning is what its warden said of it, ``kind: detail``; ``lines`` are what it wrote, the last ones, each
    with its stream (``out``, ``err``, ``log``).
    """

    died: Died
    ready: float | None = None
    played: bool = False
    signals: int = 0
    warnings: tuple[str, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it became ready, ended in order, and nobody had to warn of anything."""
        return self.ready is not None and self.left and not self.warnings

    @property
    def left(self) -> bool:
        """Whether it ended by itself, in order."""
        return self.died.cause == "exit" and not self.died.exit_code


def specification(
    plugin: Found,
    parameters: Mapping[str, Any],
    *,
    trusted: bool,
    packages: str = "",
    stored: str = "",
    shown: str = "",
) -> CellSpec:
    """Return what a trial grants to the strategy ``plugin``.

    ``stored`` is a copy that is run in its place, ``shown`` what its folder is called in tracebacks.
    """
    return CellSpec(
        deployment_id=DEPLOYMENT,
        generation=1,
        strategy=plugin.name,
        version=plugin.version,
        code_path=shown or plugin.path,
        stored=stored,
        account_id="validate",
        trading_mode="paper",
        symbols=list(plugin.symbols) or ["VALIDATE"],
        timeframes=list(plugin.timeframes) or ["1m"],
        parameters=dict(parameters),
        market_endpoint="",
        report_endpoint="",
        token="",
        conflate=False,
        budgets=BUDGETS,
        trusted=trusted,
        packages=packages,
        limits=Limits(memory=MEMORY_WITH_PACKAGES) if packages else Limits(),
    )


class Lab:
    """A zygote and an engine's sockets in ``folder``, a context: then ``run`` one cell after the other."""

    def __init__(self, folder: Path, survey: Survey) -> None:
        self._folder = folder
        self._nursery = Nursery(survey)
        self._hub = Hub()
        self._run: _Run | None = None
        self._generation = 0
        self._market: MarketSocket

    def __enter__(self) -> Self:
        """Raises ``NurseryError``."""
        with contextlib.ExitStack() as cleanup_on_fail:
            cleanup_on_fail.callback(self._close)
            self._nursery.start()
            # A warden may be of another uid; the folder around is ours.
            (self._folder / "cells").mkdir()
            (self._folder / "cells").chmod(0o711)  # whatever the umask
            gate = Gatekeeper(self._hub, self._admits)
            self._market = MarketSocket(self._hub, f"ipc://{self._folder}/cells/market")
            reports = ReportSocket(self._hub, f"ipc://{self._folder}/cells/reports")
            self._hub.watch(gate, gate.answer)
            self._hub.watch(reports, lambda: self._hear_cell(reports))
            self._hub.watch(self._nursery.fileno(), self._hear_zygote)
            cleanup_on_fail.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        self._nursery.close()
        self._hub.close()

    def _admits(self, name: str, token: str) -> bool:
        spec = self._run.spec if self._run is not None else None
        return spec is not None and (name, token) == (spec.username, spec.token)

    def run(self, spec: CellSpec, frames: Sequence[tuple[bytes, bytes]] = ()) -> Outcome:
        """Run a cell to its end, and tell it ``frames`` (topic, payload) once it is ready.

        Then it is stopped in order. Raises ``NurseryError`` if it could not be born.
        """
        self._generation += 1
        spec = replace(
            spec,
            generation=self._generation,
            market_endpoint=f"ipc://{self._folder}/cells/market",
            report_endpoint=f"ipc://{self._folder}/cells/reports",
            token=secrets.token_urlsafe(),
        )
        cell = self._nursery.spawn(spec)
        with contextlib.closing(cell):
            run = self._run = _Run(cell, self._hub, self._market, spec, frames)
            self._hub.watch(cell.fileno(), run.hear_warden)
            try:
                return run.to_the_end(time.monotonic() + DEADLINE)
            finally:
                self._run = None
                run.leave()

    def _hear_cell(self, reports: ReportSocket) -> None:
        for user, payload in reports.drain():
            # Of nobody else: the last words of one before may still come.
            if self._run is not None and user == self._run.spec.username:
                self._run.hear_cell(payload)

    def _hear_zygote(self) -> None:
        for report in self._nursery.read():
            match report:
                case NotForked(reason=reason):
                    raise NurseryError(reason)
                case ZygoteGone(code=code):
                    raise NurseryError(f"the zygote ended with status {code}")
                case WardenExited(cell=cell, code=code) if self._run is not None and cell is self._run.cell:
                    self._run.hear_warden()  # its last word first
                    self._run.end(Died("unknown", f"its warden ended with status {code}"))


class _Run:
    """One cell, from birth to death."""

    def __init__(
        self,
        cell: CellHandle,
        hub: Hub,
        market: MarketSocket,
        spec: CellSpec,
        frames: Sequence[tuple[bytes, bytes]],
    ) -> None:
        self.cell = cell
        self._hub = hub
        self._market = market
        self.spec = spec
        self._frames = iter(frames)
        self._played = False
        self._ready: float | None = None
        self._signals = 0
        self._warnings: list[str] = []
        self._lines: list[tuple[str, str]] = []
        self._died: Died | None = None
        self._watched = True

    def to_the_end(self, deadline: float) -> Outcome:
        """Serve it until it has died, or ``deadline`` (monotonic seconds) has passed."""
        while self._died is None:
            if time.monotonic() > deadline:
                self._died = Died("hang", f"no answer within {DEADLINE:g} s")
                break
            busy = self._ready is not None and not self._played
            if busy:
                self._play()
            self._hub.wait(0.0 if busy else 0.5)
        return Outcome(
            died=self._died,
            ready=self._ready,
            played=self._played,
            signals=self._signals,
            warnings=tuple(self._warnings),
            lines=tuple(self._lines),
        )

    def end(self, died: Died) -> None:
        """Take note of its end; what was said first stands."""
        self._died = self._died or died

    def _play(self) -> None:
        for _ in range(PIECE):
            frame = next(self._frames, None)
            if frame is None:
                # By the same way as all before it, so that it comes behind them.
                self._command(messages.Stop("validated", ask=True))
                self._played = True
                return
            topic, payload = frame
            self._market.send(topic + payload)

    def _command(self, body: Any) -> None:
        command = messages.CellCommand(self.spec.generation, body)
        self._market.send(topics.cell(DEPLOYMENT) + messages.encode(command))

    def hear_cell(self, payload: bytes) -> None:
        """Welcome it, and count what it asks for."""
        match _decode_report(payload):
            case messages.Hello():
                self._command(messages.Welcome(epoch=1, now=time.time_ns()))
            case messages.Signals(signals=signals):
                self._signals += len(signals)

    def hear_warden(self) -> None:
        """Take what its warden reports."""
        for report in self.cell.receive():
            self._note(report)
        if self.cell.gone:
            self.leave()

    def leave(self) -> None:
        """Watch its warden no more."""
        if self._watched:
            self._watched = False
            self._hub.unwatch(self.cell.fileno())

    def _note(self, report: WardenReport) -> None:
        match report:
            case Ready(took=took):
                self._ready = took
            case Warned(kind=kind, detail=detail) if kind != "limit":
                self._warnings.append(f"{kind}: {detail}")
                if len(self._warnings) >= MOST_LINES:
                    self.cell.order(Terminate("too many faults", GRACE))
            case LogLines(lines=lines):
                self._lines += [(stream, text) for _, stream, text in lines]
                del self._lines[:-MOST_LINES]
            case Died():
                self.end(report)
