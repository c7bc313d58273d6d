"""The strategies that there are, and how another gets among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import Call, send

if TYPE_CHECKING:
    from supervisor.schema import RescanResult, StrategyView


def rescan() -> Call[RescanResult]:
    """Search the strategy folders again, and take in what was edited."""
    return send("POST", "strategies/rescan", {})


def register_path(path: str) -> Call[StrategyView]:
    """Add the folder or file at an absolute ``path`` of the daemon's own host to the catalogue."""
    return send("POST", "strategies/register-path", {"path": path})
