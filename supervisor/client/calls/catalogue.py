"""The strategies that there are, and how another gets among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import Call, get, send

if TYPE_CHECKING:
    from supervisor.schema import RescanResult, StrategyView
    from supervisor.schema.catalogue import StrategyList


def strategies() -> Call[StrategyList]:
    """Every sound strategy, one row a name, with the status that its deployments give it."""
    return get("strategies")


def catalogue() -> Call[list[StrategyView]]:
    """Every version of every strategy with its parameters; broken folders with what is wrong."""
    return get("catalogue")


def rescan() -> Call[RescanResult]:
    """Search the strategy folders again, and take in what was edited."""
    return send("POST", "strategies/rescan", {})


def register_path(path: str) -> Call[StrategyView]:
    """Add the folder or file at an absolute ``path`` of the daemon's own host to the catalogue."""
    return send("POST", "strategies/register-path", {"path": path})
