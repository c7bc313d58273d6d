"""Strategies changed by their id, of a daemon without processes: words are kept, checks always pass."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from supervisor.errors import NotFound
from supervisor.registering.checks import Registrant
from supervisor.registering.submission import Submission
from supervisor.schema import Progress
from supervisor.schema.catalogue import StrategyDetail
from supervisor.schema.labels import LabelPatch
from tests.supervisor.fake_catalogue import FakeCatalogue
from tests.supervisor.fake_registering import FakeRegistering


class FakeEditing(FakeCatalogue, FakeRegistering):
    words: dict[str, str | None] | None = None

    async def strategy(self, reference: str, *, account: str | None = None) -> StrategyDetail:
        found = await super().strategy(reference, account=account)
        said = {name: word for name, word in (self.words or {}).items() if word is not None}
        title = {"name": said.pop("title")} if "title" in said else {}
        return found.model_copy(update={**said, **title})

    async def label_strategy(
        self,
        reference: str,
        patch: LabelPatch,
        who: Registrant,
        agreed: Callable[[StrategyDetail | None], None],
    ) -> StrategyDetail:
        agreed(await self.strategy(reference))
        self.words = {**(self.words or {}), **patch.words}
        return await self.strategy(reference)

    async def replace_code(
        self, submission: Submission, who: Registrant, agreed: Callable[[StrategyDetail | None], None] | None
    ) -> AsyncGenerator[Progress, None]:
        if agreed is not None:
            try:
                found = await self.strategy(submission.entry)
            except NotFound:
                agreed(None)
            else:
                agreed(found)
        return await self.register_code(submission, who)
