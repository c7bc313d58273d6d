"""What the routes of one deployment need of the daemon, beyond the verbs that take many (port.py).

Every method may raise the errors of supervisor/errors.py. Lists are in the order of their numbers or times.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from supervisor.schema import (
    CandleView,
    ChangeResult,
    Death,
    EquityView,
    EventView,
    LatchResult,
    MetricsView,
    PerformanceView,
    PromoteRequest,
    PromoteResult,
    SettingsPatch,
    SignalChain,
    SignalView,
)


class DeploymentPort(Protocol):
    """One deployment: how it is changed, and what is on record of it; signals and candles, by their name."""

    async def change(self, deployment_id: str, patch: SettingsPatch) -> ChangeResult:
        """Give a deployment other settings; ``Failed`` while it runs, but for parameters that may change."""
        ...

    async def promote(self, deployment_id: str, request: PromoteRequest, *, by: str) -> PromoteResult:
        """Say what it would mean to go from paper to live, or, with the confirmation from there, do it."""
        ...

    async def latch(
        self, deployment_id: str, kind: Literal["flatten", "lock"], *, reason: str, by: str
    ) -> LatchResult:
        """Close what a deployment holds and bar it until it is rearmed; ``lock`` bars its exits, too."""
        ...

    async def deployment_events(
        self, deployment_id: str, *, after: int | None, limit: int
    ) -> list[EventView]:
        """Return the first events of one deployment after number ``after``, or the last ones."""
        ...

    async def events_of(self, since: Mapping[str, int], *, after: int | None, limit: int) -> list[EventView]:
        """Return the first events of some deployments after number ``after``, or their last ones.

        Of each since an instant (unix ns); ascending.
        """
        ...

    async def incidents(self, deployment_id: str) -> list[Death]:
        """Return the deaths on record of one deployment, the newest first."""
        ...

    async def metrics(self, deployment_id: str) -> MetricsView:
        """Return what the process of one deployment takes, and its counters."""
        ...

    async def performance(self, deployment_id: str) -> PerformanceView:
        """Return what one deployment has earned, by its fills."""
        ...

    async def equity(self, deployment_id: str, *, n: int) -> EquityView:
        """Return the curve of that in at most ``n`` points."""
        ...

    async def find_signals(
        self,
        deployment_id: str | None,
        account: str | None,
        *,
        verdict: str | None,
        rule: str | None,
        after: int | None,
        limit: int,
    ) -> list[SignalView]:
        """Return signals of one deployment, of those of an account, or of all, by what became of them."""
        ...

    async def signal(self, signal_id: str) -> SignalChain:
        """Return one signal with all that followed from it."""
        ...

    async def candles(self, symbol: str, timeframe: str, *, before: int | None, n: int) -> list[CandleView]:
        """Return the last ``n`` closed candles of a series, or those that opened before ``before`` (ns)."""
        ...
