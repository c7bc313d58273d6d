"""The catalogue in the words of the platform's other services: one row a strategy. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final, NamedTuple

from strategies.plugins import Found
from supervisor.life import State
from supervisor.schema import RescanResult, StrategyView
from supervisor.schema.catalogue import StrategyDetail, StrategyRow, StrategyStatus

_STATUS: Final[tuple[tuple[StrategyStatus, frozenset[State]], ...]] = (
    # One in backoff is down for a moment only, and one that stops is there still.
    ("active", frozenset({State.STARTING, State.WARMING, State.RUNNING, State.BACKOFF, State.STOPPING})),
    ("paused", frozenset({State.PAUSED})),
    ("failed", frozenset({State.FAILED, State.QUARANTINED})),
    ("stopped", frozenset({State.STOPPED})),
)
"""From what counts most to what counts least."""


class Used(NamedTuple):
    """A deployment, as far as it says something about its strategy."""

    id: str
    strategy: str
    version: str
    state: State
    symbols: Sequence[str]
    timeframes: Sequence[str]


def status_of(states: Collection[State]) -> StrategyStatus:
    """Return what deployments in ``states`` make of their strategy; of none it is ``registered``."""
    return next((status for status, those in _STATUS if not those.isdisjoint(states)), "registered")


def rows(found: Iterable[Found], deployments: Iterable[Used]) -> list[StrategyRow]:
    """Return one row for each of ``found``, which have a name each, with what is made of it."""
    by_name: dict[str, list[Used]] = {}
    for one in deployments:
        by_name.setdefault(one.strategy, []).append(one)
    return [StrategyRow(**facts(one, by_name.get(one.name, ()))) for one in found]


def facts(found: Found, used: Sequence[Used]) -> dict[str, Any]:
    """Return the fields of a row. Instruments and timeframe are its own, else what its deployments read."""
    symbols = found.symbols or dict.fromkeys(symbol for one in used for symbol in one.symbols)
    timeframes = found.timeframes or tuple(name for one in used for name in one.timeframes)
    return {
        "id": found.name,
        "name": found.title or found.name,
        "type": found.type,
        "status": status_of({one.state for one in used}),
        "instruments": list(symbols),
        "timeframe": timeframes[0] if timeframes else "",
    }


def told(found: RescanResult, before: Iterable[StrategyView], now: Iterable[StrategyView]) -> RescanResult:
    """Return what a scan found, without what was not seen ``before`` and is not seen ``now``.

    That is for callers of an account, who may not know even the names of the rest.
    """
    had = {f"{one.name}@{one.version}" for one in before}
    views = list(now)
    has = {f"{one.name}@{one.version}" for one in views}
    broken = {one.path for one in views if one.state == "broken"}
    return RescanResult(
        added=[one for one in found.added if one in has],
        changed=[one for one in found.changed if one in has],
        removed=[one for one in found.removed if one in had],
        broken={path: why for path, why in found.broken.items() if path in broken},
    )


def detail(
    found: Found,
    used: Sequence[Used],
    *,
    view: StrategyView,
    versions: list[str],
    registered: bool,
    owner: str = "",
) -> StrategyDetail:
    """Return everything about one version; ``used`` are the deployments of its name."""
    return StrategyDetail(
        **facts(found, used),
        version=found.version,
        versions=versions,
        description=found.description,
        code_hash=found.code_hash,
        path=found.path,
        builtin=found.built_in,
        registered=registered,
        parameters=view.parameters,
        constraints=view.constraints,
        timeframes=list(found.timeframes),
        warmup=found.warmup,
        deployments=[one.id for one in used if one.version == found.version],
        owner=owner,
    )
