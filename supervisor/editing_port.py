"""What the API asks to change of a strategy by its id, answered for one daemon."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from supervisor.catalogue_port import Strategies
from supervisor.errors import NotFound, Refused
from supervisor.registering.checks import Registrant
from supervisor.registering.submission import Submission
from supervisor.schema import Progress
from supervisor.schema.catalogue import StrategyDetail
from supervisor.schema.labels import LabelPatch


class Editing(Strategies):
    """``supervisor.api.routes.editing.EditingPort``; a part of ``Port``."""

    async def label_strategy(
        self,
        reference: str,
        patch: LabelPatch,
        who: Registrant,
        agreed: Callable[[StrategyDetail | None], None],
    ) -> StrategyDetail:
        """Give a version other words. ``agreed`` is asked of it as it is, at the moment of the change."""
        daemon, account = self._daemon, who.account or None
        found = self._seen(account).look_up(reference)
        if (found.name, found.version) not in daemon.registrar.library.records:
            raise Refused(
                "not_registered",
                f"the words of {found.reference} stand in its config.json ({found.path}): change them there, "
                "and rescan",
            )
        await daemon.registrar.label(
            found.name,
            found.version,
            patch.words,
            who,
            lambda: agreed(self.detail(found.reference, account)),
        )
        return self.detail(found.reference, account)

    async def replace_code(
        self, submission: Submission, who: Registrant, agreed: Callable[[StrategyDetail | None], None] | None
    ) -> AsyncGenerator[Progress, None]:
        """Return the checks as they end, then the registration.

        ``agreed`` is asked of the strategy as it is, None where there is none: before anything is tried, and
        once more at the moment of the change.
        """

        def ask() -> None:
            if agreed is not None:
                agreed(self._standing(submission.entry, who.account or None))

        return await self._daemon.registrar.register(submission, who, ask)

    def _standing(self, name: str, account: str | None) -> StrategyDetail | None:
        try:
            return self.detail(name, account)
        except NotFound:
            return None
