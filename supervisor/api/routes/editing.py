"""A strategy changed by its id: other words for a version, or a new version of it (docs/registering.md)."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Path, Response

from supervisor.api.caller import needs
from supervisor.api.etags import IfMatch, matches, tag_of
from supervisor.api.routes.catalogue import Id, standing
from supervisor.api.routes.register import LINES, Accept, Who, answered
from supervisor.errors import Invalid, NotFound, Stale
from supervisor.registering.checks import Registrant
from supervisor.registering.submission import Submission, identifier, of_request
from supervisor.schema import CodeRequest, CodeVersions, Progress, Registration
from supervisor.schema.catalogue import StrategyDetail
from supervisor.schema.labels import LabelPatch

Agreed = Callable[[StrategyDetail | None], None]
"""Raises ``Stale`` unless the strategy is still what was read; None: there is none."""
Name = Annotated[str, Path(max_length=64, description="`NAME`, without a version.", examples=["breakout"])]
ANY: Final = "*"


class EditingPort(Protocol):
    """The daemon, as these routes see it. Every method may raise the errors of supervisor/errors.py."""

    async def code_versions(self, name: str, *, account: str | None = None) -> CodeVersions:
        """Return every version of a name, the newest first."""
        ...

    async def label_strategy(
        self, reference: str, patch: LabelPatch, who: Registrant, agreed: Agreed
    ) -> StrategyDetail:
        """Give a version other words. ``agreed`` is asked of it as it is, at the moment of the change."""
        ...

    async def replace_code(
        self, submission: Submission, who: Registrant, agreed: Agreed | None
    ) -> AsyncGenerator[Progress, None]:
        """Return the checks as they end, then the registration.

        ``agreed`` is asked of the strategy as it is, None where there is none: before anything is tried, and
        once more at the moment of the change.
        """
        ...


def editing_routes(api: APIRouter, daemon: EditingPort) -> None:
    """Add the routes to ``api``."""

    @api.patch(
        "/strategies/{strategy_id}",
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Change its words",
    )
    async def label(
        strategy_id: Id, patch: LabelPatch, who: Who, response: Response, if_match: IfMatch = None
    ) -> StrategyDetail:
        """Give a registered version another title, description or type; null takes one back.

        These stand beside its content, which never changes, and say nothing of how it trades.
        """
        view = await daemon.label_strategy(strategy_id, patch, who, _agreed(if_match or ANY))
        response.headers["ETag"] = tag_of(standing(view))
        return view

    @api.put(
        "/strategies/{strategy_id}",
        dependencies=[needs("code")],
        tags=["Strategies"],
        summary="Register a new version",
        response_model=Registration,
        responses={**LINES, 201: {"model": Registration, "description": "There was none of that id before"}},
    )
    async def replace(
        strategy_id: Name, body: CodeRequest, who: Who, accept: Accept = "", if_match: IfMatch = None
    ) -> Response:
        """Check a strategy as `register` does, and make it the version that this id means.

        Earlier versions stay. With `If-Match` only if nobody has registered, activated or relabelled one
        since it was read: asked before the checks, and again when it is kept.
        """
        submission = await asyncio.to_thread(of_request, body, python=platform.python_version())
        if submission.entry != strategy_id:
            raise Invalid([_other_name(body.name, strategy_id)])
        new = not await _known(daemon, strategy_id)
        agreed = None if if_match is None else _agreed(if_match)
        return await answered(await daemon.replace_code(submission, who, agreed), accept, created=new)


def _other_name(name: str, strategy_id: str) -> str:
    return f"name = {name!r}: has the id {identifier(name)!r}, and this is the address of {strategy_id!r}"


async def _known(daemon: EditingPort, name: str) -> bool:
    try:
        await daemon.code_versions(name)
    except NotFound:
        return False
    return True


def _agreed(if_match: str) -> Agreed:
    def agreed(view: StrategyDetail | None) -> None:
        tag = "" if view is None else tag_of(standing(view))
        if not (tag and matches(if_match, tag)):
            raise Stale(tag)

    return agreed
