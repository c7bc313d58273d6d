"""Whether code may be tried, and what its checks say, in their order: the first that fails is the last.

Rules of this file. Nothing of a user's is imported, parsed or unpickled here: bytes are written, hashed and
handed to a process that tries them in the sandbox (``examiner.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

from msgspec import Struct, structs

from strategies.errors import ParametersInvalid
from strategies.plugins import Broken, Found, Plugin
from supervisor.errors import Failed, Refused, Unavailable
from supervisor.host import Host
from supervisor.packages.install import InstallFailed
from supervisor.packages.plan import counted
from supervisor.registering.examiner import Examiner
from supervisor.registering.job import Job, Log
from supervisor.registering.shelf import Shelf
from supervisor.registering.submission import Submission
from supervisor.schema import CheckReport, CheckStep
from supervisor.trust import RULE, refusal

OFF: Final = "registering_off"
"""The rule by which a daemon that takes in no code refuses it."""


class Registrant(Struct, frozen=True, kw_only=True):
    """Who hands code in. ``account`` is the one that he is bound to, "" for none; ``origin`` is from where.

    ``owner``: root or the daemon's own user, who alone may answer for code.
    """

    name: str
    account: str = ""
    origin: str = ""
    owner: bool = False


class Tally:
    """What the checks have said so far."""

    def __init__(self) -> None:
        self.steps: list[CheckStep] = []
        self.log: list[str] = []

    def add(self, step: CheckStep) -> CheckStep:
        """Take a step, and return it."""
        self.steps.append(step)
        return step

    def report(self) -> CheckReport:
        """Return what all of them came to."""
        failed = next((step for step in self.steps if not step.ok), None)
        reason = "" if failed is None else _reason(failed)
        return CheckReport(ok=failed is None, reason=reason, steps=self.steps, log=self.log)


def _reason(step: CheckStep) -> str:
    place = ":".join(str(part) for part in (step.file, step.line, step.column) if part)
    return ": ".join(filter(None, (step.name, place, step.detail)))


class Checks:
    """Tries submissions. ``host`` is what deployments are lent too, ``on`` whether code is taken in."""

    def __init__(self, host: Callable[[], Host], shelf: Shelf, on: Callable[[], bool]) -> None:
        self._host = host
        self._shelf = shelf
        self._on = on
        self._examiner = Examiner()

    def must_be_open(self) -> None:
        """Raise ``Refused`` where no code is taken in, from anybody."""
        if not self._on():
            raise Refused(OFF, "this daemon takes in no code ([strategies] register_code = false)")

    def admit(self, submission: Submission, who: Registrant) -> None:
        """Raise ``Refused`` where code may not be tried: by this caller, or at all."""
        self.must_be_open()
        if submission.trust and not who.owner:
            raise Refused(RULE, "only root and the daemon's own user may answer for code (trust)")
        host = self._host()
        if submission.trust:
            return
        survey = host.survey
        if why := refusal(survey, host.require) if survey else "nobody has looked at this host yet":
            raise Refused(RULE, f"a stranger's code is not tried here: {why}")

    @contextlib.asynccontextmanager
    async def drafted(self, submission: Submission) -> AsyncIterator[Path]:
        """Wait for a turn, and write the code down for as long. Raises ``Unavailable``, ``Failed``."""
        async with self._examiner.turn(), self._written(submission) as path:
            yield path

    @contextlib.asynccontextmanager
    async def _written(self, submission: Submission) -> AsyncIterator[Path]:
        try:
            path = await asyncio.to_thread(self._shelf.draft, submission.entry, submission.files)
        except OSError as error:
            raise Failed(f"the code cannot be written down: {error.strerror}") from None
        try:
            yield path
        finally:
            await asyncio.to_thread(self._shelf.drop, path)

    async def steps(
        self, submission: Submission, path: Path, plugin: Plugin, tally: Tally
    ) -> AsyncGenerator[CheckStep, None]:
        """Yield what is found, up to the first problem."""
        count = len(submission.files)
        size = f"{count} file{'s' * (count != 1)}, {submission.size:,} bytes"
        yield tally.add(CheckStep(name="size", ok=True, detail=size))
        if isinstance(plugin, Broken):
            wrong = "; ".join(map(str, plugin.errors))
            yield tally.add(CheckStep(name="manifest", ok=False, detail=wrong, file="config.json"))
            return
        yield tally.add(CheckStep(name="manifest", ok=True, detail=plugin.reference))
        try:
            values = submission.values(plugin.schema)
        except ParametersInvalid as error:
            help_ = "give a value to try it with (trial, --param)" if "is required" in str(error) else ""
            detail = "; ".join(filter(None, (str(error), help_)))
            yield tally.add(CheckStep(name="parameters", ok=False, detail=detail))
            return
        shown = ", ".join(f"{name}={value!r:.40}" for name, value in values.items())
        yield tally.add(CheckStep(name="parameters", ok=True, detail=shown[:1000] or "none"))
        packages = ""
        if plugin.lock is not None:
            step, packages = await self._packages(plugin)
            yield tally.add(step)
            if not step.ok:
                return
        job = self._job(submission, path, plugin, values, packages)
        async with contextlib.aclosing(self._examiner.examine(job)) as found:
            async for one in found:
                if isinstance(one, Log):
                    tally.log = one.lines
                else:
                    yield tally.add(CheckStep(**structs.asdict(one)))

    async def _packages(self, plugin: Found) -> tuple[CheckStep, str]:
        store, lock = self._host().packages, plugin.lock
        assert lock is not None  # noqa: S101 - asked for it only then; narrows the type
        begun = time.monotonic()
        why = store.objection(lock)
        if not why:
            try:
                await store.ensure(lock)
            except InstallFailed as error:
                why = str(error)
        took = round((time.monotonic() - begun) * 1e3, 1)
        site = None if why else store.find(lock)
        detail = why or counted(lock)
        step = CheckStep(
            name="packages", ok=site is not None, detail=detail, file="requirements.txt", ms=took
        )
        return step, str(site or "")

    def _job(
        self, submission: Submission, path: Path, plugin: Found, values: dict[str, Any], packages: str
    ) -> Job:
        survey = self._host().survey
        if survey is None:
            raise Unavailable("nobody has looked at this host yet")
        return Job(
            path=str(path),
            values=values,
            class_name=plugin.class_name,
            opaque=submission.kind == "pickle",
            trusted=submission.trust,
            packages=packages,
            survey=survey,
        )
