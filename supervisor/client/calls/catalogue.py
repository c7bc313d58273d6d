"""The strategies that there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from supervisor.client.call import Call, get, segment, send

if TYPE_CHECKING:
    from supervisor.schema import RescanResult, StrategyView
    from supervisor.schema.catalogue import (
        ParametersReport,
        SourceView,
        StrategyDetail,
        StrategyList,
        StrategyTypes,
        TemplateView,
    )


def strategies() -> Call[StrategyList]:
    """Every sound strategy, one row a name, with the status that its deployments give it."""
    return get("strategies")


def catalogue() -> Call[list[StrategyView]]:
    """Every version of every strategy with its parameters; broken folders with what is wrong."""
    return get("catalogue")


def strategy(strategy_id: str) -> Call[StrategyDetail]:
    """One strategy: NAME, in the version that is in force, or NAME@VERSION."""
    return get(_one(strategy_id))


def strategy_schema(strategy_id: str) -> Call[dict[str, Any]]:
    """The JSON Schema (2020-12) of its parameters."""
    return get(f"{_one(strategy_id)}/schema")


def strategy_source(strategy_id: str) -> Call[SourceView]:
    """Its code, as cells are shown it."""
    return get(f"{_one(strategy_id)}/source")


def validate_parameters(strategy_id: str, parameters: Mapping[str, Any]) -> Call[ParametersReport]:
    """What it would make of ``parameters``: every mistake at once, or all of them with defaults filled in."""
    return send("POST", f"{_one(strategy_id)}/validate", {"parameters": dict(parameters)})


def strategy_types() -> Call[StrategyTypes]:
    """Every type that a strategy can be of."""
    return get("strategy-types")


def template(*, name: str | None = None, type: str | None = None) -> Call[TemplateView]:  # noqa: A002  (the API's word)
    """The files of a new strategy, as ``stratd new`` writes them."""
    return get("strategies/template", {"name": name, "type": type})


def rescan() -> Call[RescanResult]:
    """Search the strategy folders again, and take in what was edited."""
    return send("POST", "strategies/rescan", {})


def register_path(path: str) -> Call[StrategyView]:
    """Add the folder or file at an absolute ``path`` of the daemon's own host to the catalogue."""
    return send("POST", "strategies/register-path", {"path": path})


def label_strategy(
    strategy_id: str, words: Mapping[str, str | None], *, if_match: str | None = None
) -> Call[StrategyDetail]:
    """Give a registered version another title, description or type; None takes one back, others stay."""
    return send("PATCH", _one(strategy_id), dict(words), if_match=if_match)


def unregister(strategy_id: str) -> Call[RescanResult]:
    """Forget a strategy that was registered; refused while deployments use it."""
    return send("DELETE", _one(strategy_id))


def _one(strategy_id: str) -> str:
    return f"strategies/{segment(strategy_id, 'strategy')}"
