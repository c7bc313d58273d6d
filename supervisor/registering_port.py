"""What the API asks of registered code, answered for one daemon."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from supervisor.daemon import Daemon
from supervisor.registering.checks import Registrant
from supervisor.registering.submission import Submission
from supervisor.schema import CodeVersions, Progress


class Registering:
    """``supervisor.api.routes.register.RegisteringPort``; a part of ``Port``."""

    _daemon: Daemon

    async def check_code(self, submission: Submission, who: Registrant) -> AsyncGenerator[Progress, None]:
        """Return the checks as they end, then the report."""
        return await self._daemon.registrar.check(submission, who)

    async def register_code(self, submission: Submission, who: Registrant) -> AsyncGenerator[Progress, None]:
        """Return the checks as they end, then the registration."""
        return await self._daemon.registrar.register(submission, who)

    async def code_versions(self, name: str, *, account: str | None = None) -> CodeVersions:
        """Return every version of a name, the newest first; with an ``account``, nothing of others."""
        return self._daemon.registrar.versions(name, account)

    async def code_content(self, name: str, version: str, who: Registrant) -> bytes:
        """Return the files of a version as a zip."""
        return await self._daemon.registrar.content(name, version, who)

    async def activate_code(self, name: str, version: str, who: Registrant) -> CodeVersions:
        """Let ``name`` mean this version."""
        return await self._daemon.registrar.activate(name, version, who)

    async def roll_back_code(self, name: str, who: Registrant) -> CodeVersions:
        """Let ``name`` mean the version that it meant before."""
        return await self._daemon.registrar.roll_back(name, who)

    async def remove_code(self, name: str, version: str, who: Registrant) -> None:
        """Delete a version."""
        await self._daemon.registrar.remove(name, version, who)
