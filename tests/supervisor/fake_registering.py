"""Registered code of a daemon without processes: nothing is tried, every answer is given beforehand."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from supervisor.errors import NotFound, StratdError
from supervisor.registering.checks import Registrant
from supervisor.registering.submission import Submission
from supervisor.schema import (
    CheckReport,
    CheckStep,
    CodeVersion,
    CodeVersions,
    Progress,
    Registration,
)


def version(name: str, number: str = "0+abc", *, active: bool = True) -> CodeVersion:
    return CodeVersion(
        id=f"{name}@{number}", name=name, version=number, code_hash="f" * 64, kind="source", active=active,
        registered_at=1, registered_by="me", origin="the Unix socket", size=10,
    )  # fmt: skip


class FakeRegistering:
    def __init__(self) -> None:
        self.handed_in: list[tuple[str, Submission, Registrant]] = []
        self.found = [CheckStep(name="size", ok=True), CheckStep(name="syntax", ok=True, ms=1.5)]
        self.code_fails: StratdError | None = None
        """What the checks end with, after their steps."""
        self.created = True

    async def check_code(self, submission: Submission, who: Registrant) -> AsyncGenerator[Progress, None]:
        self.handed_in.append(("check", submission, who))
        return self._steps(Progress(report=CheckReport(ok=True, steps=self.found)))

    async def register_code(self, submission: Submission, who: Registrant) -> AsyncGenerator[Progress, None]:
        self.handed_in.append(("register", submission, who))
        mine = version(submission.entry)
        done = Registration(strategy_id=mine.name, created=self.created, version=mine)
        return self._steps(Progress(registration=done))

    async def _steps(self, last: Progress) -> AsyncGenerator[Progress, None]:
        for step in self.found:
            yield Progress(step=step)
        if self.code_fails is not None:
            raise self.code_fails
        yield last

    async def code_versions(self, name: str, *, account: str | None = None) -> CodeVersions:
        if name != "known":
            raise NotFound("registered strategy", name, ["known"])
        return CodeVersions(name=name, active="0+abc", versions=[version(name)])

    async def code_content(self, name: str, version: str, who: Registrant) -> bytes:
        return b"PK"

    async def activate_code(self, name: str, version: str, who: Registrant) -> CodeVersions:
        return await self.code_versions(name)

    async def roll_back_code(self, name: str, who: Registrant) -> CodeVersions:
        return await self.code_versions(name)

    async def remove_code(self, name: str, version: str, who: Registrant) -> None:
        await self.code_versions(name)
