"""``stratd validate``: a strategy folder tried in the sandbox, without a daemon and without registering it.

Steps, each of which says what is wrong: the manifest is read, the parameters are checked, the packages that
it needs are installed (for this user, and kept), then a throw-away cell, the same as a deployment's, imports
the code, initialises it and lets it say goodbye (supervisor/trial.py). Code that this host could not hold is
not tried (supervisor/trust.py).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.confine.survey import Survey
from sandbox.nursery import NurseryError
from strategies.errors import ParametersInvalid
from strategies.plugins import Broken, Found, inspect
from supervisor.config.sections import Sandbox
from supervisor.packages.install import InstallFailed
from supervisor.packages.plan import counted
from supervisor.packages.store import PackageStore
from supervisor.schema import ValidationReport, ValidationStep
from supervisor.survey import take
from supervisor.trial import Lab, specification
from supervisor.trust import RULE, refusal


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
    spec = specification(plugin, parameters, trusted=trusted, packages=packages)
    with tempfile.TemporaryDirectory(prefix="stratd-") as folder:
        try:
            with Lab(Path(folder), survey) as lab:
                outcome = lab.run(spec)
        except NurseryError as error:
            return ValidationStep(name="sandbox", ok=False, detail=f"no cell could be started: {error}")
    died, warnings = outcome.died, outcome.warnings
    if outcome.sound:
        return ValidationStep(
            name="sandbox", ok=True, detail=f"loaded and initialised in {outcome.ready:.2f} s"
        )
    if warnings and died.cause == "exit":
        return ValidationStep(name="sandbox", ok=False, detail=in_one_line(warnings[0]))
    return ValidationStep(name="sandbox", ok=False, detail=in_one_line(f"{died.cause}: {died.detail}"))


def in_one_line(text: str) -> str:
    """Return what went wrong and where, of a text that may hold a traceback."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    places = [line for line in lines if line.startswith("File ")]
    return f"{lines[0]} ({places[-1]})" if places else " ".join(lines)
