"""``stratd validate``: a strategy folder tried in the sandbox, without a daemon and without registering it.

Steps, each of which says what is wrong: the manifest is read, the parameters are checked, the packages that
it needs are installed (for this user, and kept), then a throw-away cell, the same as a deployment's, imports
the code, initialises it and lets it say goodbye. The trial below is to that cell what engine and
supervisor are to a real one, but for a control group: its limits and a deadline hold it. Code that this host
could not hold is not tried (supervisor/trust.py).
"""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bus import messages, topics
from bus.sockets import Gatekeeper, Hub, MarketSocket, ReportSocket
from sandbox.confine.survey import Survey
from sandbox.handle import CellHandle
from sandbox.nursery import Awake, NotForked, Nursery, NurseryError, WardenExited, ZygoteGone
from sandbox.spec import (
    Born,
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
from strategies.errors import ParametersInvalid
from strategies.plugins import Broken, Found, inspect
from supervisor.config.sections import Sandbox
from supervisor.packages.install import InstallFailed
from supervisor.packages.plan import counted
from supervisor.packages.store import PackageStore
from supervisor.schema import ValidationReport, ValidationStep
from supervisor.survey import take
from supervisor.trust import RULE, refusal

DEPLOYMENT = "validate"
BUDGETS = Budgets(initialize=Budget(5.0, 15.0))
DEADLINE = 40.0
"""Seconds for the whole trial: the zygote's imports, ``initialize`` and ``cleanup`` at their hard budgets."""
GRACE = 5.0
MEMORY_WITH_PACKAGES = 2**30
"""Bytes for one that needs packages: enough for the usual ones. What a deployment may take is its own."""
_decode_report = msgspec.msgpack.Decoder(messages.CellReport).decode


def validate(
    path: Path,
    parameters: Mapping[str, str],
    *,
    trust: bool = False,
    sandbox: Sandbox | None = None,
    packages: PackageStore | None = None,
) -> ValidationReport:
    """Check the strategy at ``path``; ``parameters`` as typed stand in for defaults that it lacks.

    ``trust``: the caller answers for its code. ``sandbox`` is that section of the configuration, the
    defaults if there is none; ``packages`` is where what it needs is installed, nowhere if there is none.
    """
    rule = ""
    steps = [_manifest(path)]
    plugin = inspect(path)
    if isinstance(plugin, Found):
        try:
            values = effective(plugin, parameters)
        except ParametersInvalid as error:
            steps.append(ValidationStep(name="parameters", ok=False, detail=str(error)))
        else:
            shown = ", ".join(f"{name}={value}" for name, value in values.items()) or "none"
            steps.append(ValidationStep(name="parameters", ok=True, detail=shown))
            wanted = sandbox or Sandbox()
            host = take(wanted.setting)
            answered_for = trust or plugin.built_in
            if why := "" if answered_for else refusal(host, wanted.require or ()):
                own = f"If you answer for {plugin.path}: stratd validate {path} --trust"
                steps.append(ValidationStep(name="sandbox", ok=False, detail=f"not tried: {why}. {own}"))
                rule = RULE
            else:
                site, told = _packages(plugin, packages)
                steps += told
                if site is not None:
                    steps.append(_trial(plugin, values, host, trusted=answered_for, packages=site))
    failed = next((step for step in steps if not step.ok), None)
    reason = ""
    if failed is not None:
        reason = failed.detail if rule else f"{failed.name}: {failed.detail}"
    return ValidationReport(path=str(path), ok=failed is None, reason=reason, rule=rule, steps=steps)


def effective(plugin: Found, given: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of a run. Raises ``ParametersInvalid`` with every mistake."""
    return dict(given) if plugin.schema is None else plugin.schema.effective(given, text=True)


def _manifest(path: Path) -> ValidationStep:
    plugin = inspect(path)
    if isinstance(plugin, Broken):
        return ValidationStep(name="manifest", ok=False, detail="; ".join(map(str, plugin.errors)))
    return ValidationStep(name="manifest", ok=True, detail=f"{plugin.reference} ({plugin.type})")


def _packages(plugin: Found, packages: PackageStore | None) -> tuple[str | None, list[ValidationStep]]:
    """Return the folder of what it needs ("": nothing; None: it cannot be had), and the step that says so."""
    if plugin.lock is None:
        return "", []
    why = packages.objection(plugin.lock) if packages else "it needs packages, and nobody said from where"
    if packages is not None and not why:
        try:
            site = packages.bring(plugin.lock)
        except InstallFailed as error:
            why = str(error)
        else:
            return str(site), [ValidationStep(name="packages", ok=True, detail=counted(plugin.lock))]
    return None, [ValidationStep(name="packages", ok=False, detail=why)]


def _trial(
    plugin: Found, parameters: Mapping[str, Any], survey: Survey, *, trusted: bool, packages: str
) -> ValidationStep:
    with tempfile.TemporaryDirectory(prefix="stratd-") as folder:
        trial = _Trial(plugin, parameters, Path(folder), survey=survey, trusted=trusted, packages=packages)
        try:
            died = trial.run()
        except NurseryError as error:
            return ValidationStep(name="sandbox", ok=False, detail=f"no cell could be started: {error}")
    if trial.ready is not None and died.cause == "exit" and not died.exit_code and not trial.warnings:
        return ValidationStep(
            name="sandbox", ok=True, detail=f"loaded and initialised in {trial.ready:.2f} s"
        )
    if trial.warnings and died.cause == "exit":
        return ValidationStep(name="sandbox", ok=False, detail=in_one_line(trial.warnings[0]))
    return ValidationStep(name="sandbox", ok=False, detail=in_one_line(f"{died.cause}: {died.detail}"))


def in_one_line(text: str) -> str:
    """Return what went wrong and where, of a text that may hold a traceback."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    places = [line for line in lines if line.startswith("File ")]
    return f"{lines[0]} ({places[-1]})" if places else " ".join(lines)


class _Trial:
    """One cell, from birth to death, with an engine's sockets of its own in ``folder``."""

    def __init__(
        self,
        plugin: Found,
        parameters: Mapping[str, Any],
        folder: Path,
        *,
        survey: Survey,
        trusted: bool,
        packages: str,
    ) -> None:
        self._survey = survey
        self._spec = CellSpec(
            deployment_id=DEPLOYMENT,
            generation=1,
            strategy=plugin.name,
            version=plugin.version,
            code_path=plugin.path,
            account_id="validate",
            trading_mode="paper",
            symbols=list(plugin.symbols) or ["VALIDATE"],
            timeframes=list(plugin.timeframes) or ["1m"],
            parameters=dict(parameters),
            market_endpoint=f"ipc://{folder}/cells/market",
            report_endpoint=f"ipc://{folder}/cells/reports",
            token=secrets.token_urlsafe(),
            budgets=BUDGETS,
            trusted=trusted,
            packages=packages,
            limits=Limits(memory=MEMORY_WITH_PACKAGES) if packages else Limits(),
        )
        (folder / "cells").mkdir(mode=0o711)  # a warden may be of another uid; the folder around is ours
        self.ready: float | None = None
        """Seconds from its fork until it was warm, None if it never was."""
        self.warnings: list[str] = []
        self._died: Died | None = None
        self._cell: CellHandle | None = None

    def run(self) -> Died:
        """Run the cell to its end and return how it ended."""
        deadline = time.monotonic() + DEADLINE
        nursery, hub = Nursery(self._survey), Hub()
        try:
            nursery.start()
            self._open(hub)
            cell = self._cell = nursery.spawn(self._spec)
            hub.watch(nursery.fileno(), lambda: self._hear_zygote(nursery))
            hub.watch(cell.fileno(), lambda: self._hear_warden(hub, cell))
            while self._died is None:
                if time.monotonic() > deadline:
                    return Died("hang", f"no answer within {DEADLINE:g} s")
                hub.wait(0.5)
        finally:
            if self._cell is not None:
                self._cell.close()
            nursery.close()
            hub.close()
        return self._died

    def _open(self, hub: Hub) -> None:
        gate = Gatekeeper(hub, lambda name, token: (name, token) == (self._spec.username, self._spec.token))
        self._market = MarketSocket(hub, self._spec.market_endpoint)
        reports = ReportSocket(hub, self._spec.report_endpoint)
        hub.watch(gate, gate.answer)
        hub.watch(reports, lambda: self._hear_cell(reports))

    def _hear_cell(self, reports: ReportSocket) -> None:
        for _, payload in reports.drain():
            if isinstance(_decode_report(payload), messages.Hello):
                welcome = messages.CellCommand(1, messages.Welcome(epoch=1, now=time.time_ns()))
                self._market.send(topics.cell(DEPLOYMENT) + messages.encode(welcome))

    def _hear_zygote(self, nursery: Nursery) -> None:
        for report in nursery.read():
            match report:
                case NotForked(reason=reason):
                    raise NurseryError(reason)
                case ZygoteGone(code=code):
                    raise NurseryError(f"the zygote ended with status {code}")
                case WardenExited(code=code) if code != 0:
                    self._died = self._died or Died("unknown", f"its warden ended with status {code}")
                case Awake() | WardenExited() | _:
                    pass

    def _hear_warden(self, hub: Hub, cell: CellHandle) -> None:
        for report in cell.receive():
            self._note(cell, report)
        if cell.gone:
            hub.unwatch(cell.fileno())

    def _note(self, cell: CellHandle, report: WardenReport) -> None:
        match report:
            case Ready(took=took):
                self.ready = took
                cell.order(Terminate("validated", GRACE))
            case Warned(kind=kind, detail=detail) if kind != "limit":
                self.warnings.append(f"{kind}: {detail}")
            case Died():
                self._died = report
            case Born() | LogLines() | Warned():
                pass
