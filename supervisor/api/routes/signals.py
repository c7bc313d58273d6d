"""Signals by what became of them, and one signal with everything that followed from it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from supervisor.api.caller import needs
from supervisor.api.port import DaemonPort
from supervisor.errors import Invalid
from supervisor.schema import SignalChain, SignalView

Decision = Literal["accepted", "modified", "rejected", "duplicate", "expired", "pending"]


@dataclass(frozen=True)
class Wanted:
    """Which signals are asked for: of a deployment or an account, by verdict and rule. None is any."""

    deployment_id: Annotated[str | None, Query(max_length=64)] = None
    account: Annotated[str | None, Query(max_length=64)] = None
    verdict: Annotated[Decision | None, Query()] = None
    rule: Annotated[str | None, Query(max_length=64)] = None

    @property
    def filters(self) -> bool:
        """Whether it asks for less than all of a deployment, or all there are."""
        return not (self.account is self.verdict is self.rule is None)


def signal_routes(api: APIRouter, daemon: DaemonPort) -> None:
    """Add the routes to ``api``. ``GET /signals`` is with what else comes as lines (lines.py)."""

    @api.get("/signals/{signal_id}", dependencies=[needs("read")])
    async def signal(signal_id: Annotated[str, Path(max_length=64)]) -> SignalChain:
        """One signal: what was asked, the verdict and its rule, the order, its fills, and how it ended."""
        return await daemon.signal(signal_id)


async def signal_lines(
    daemon: DaemonPort, wanted: Wanted, *, after: int | None, n: int, follow: bool
) -> AsyncIterator[SignalView]:
    """Return the signals that are ``wanted``: the first ``n`` after number ``after``, or the last ones.

    Only all of them, or those of one deployment, can be followed: the topic ``signals`` of the stream is for
    who wants more, and picks.
    """
    if not wanted.filters:
        return await daemon.signals(wanted.deployment_id, after=after, n=n, follow=follow)
    if follow:
        raise Invalid(["follow: not with account, verdict or rule; give deployment_id, or nothing"])
    found = await daemon.find_signals(
        wanted.deployment_id,
        wanted.account,
        verdict=wanted.verdict,
        rule=wanted.rule,
        after=after,
        limit=n,
    )
    return _each(found)


async def _each(found: list[SignalView]) -> AsyncIterator[SignalView]:
    for one in found:
        yield one
