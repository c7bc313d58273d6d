"""From what a caller writes down of a strategy to what a cell is granted. Every mistake is named at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bus import topics
from sandbox.spec import Budgets, CellSpec, Limits
from strategies import plugins
from strategies.config import RiskConfig, StrategyConfig
from strategies.errors import ParametersInvalid
from strategies.plugins import Broken, Found
from supervisor.embedding.errors import StrategyRefused
from supervisor.packages.install import InstallFailed
from supervisor.packages.store import PackageStore

PLACEHOLDER = "ipc:///nowhere/yet"
SIGNALS_PER_S = 10_000
"""What a warden lets through. The gate counts by the time of the data; a cell fed faster than that is none
that floods."""


def read_config(config: StrategyConfig | Mapping[str, Any]) -> StrategyConfig:
    """Return a checked configuration. ``StrategyRefused`` names what is wrong with it."""
    given = msgspec.structs.asdict(config) if isinstance(config, StrategyConfig) else dict(config)
    risk = given.pop("risk_management", {})
    try:
        limits = risk if isinstance(risk, RiskConfig) else RiskConfig.from_mapping(risk)
        unknown = sorted(given.keys() - set(StrategyConfig.__struct_fields__))
        checked = msgspec.convert({"trading_mode": "paper", **given}, StrategyConfig)
    except ParametersInvalid as error:
        raise StrategyRefused(str(error)) from None
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise StrategyRefused(f"configuration: {error}") from None
    problems = [f"configuration: unknown field {name!r}" for name in unknown]
    if not topics.is_deployment_id(checked.strategy_id):
        problems.append(f"strategy_id {checked.strategy_id!r}: {topics.DEPLOYMENT_ID_ALLOWED}")
    problems += [f"symbol {s!r}: {topics.SYMBOL_ALLOWED}" for s in checked.symbols if not topics.is_symbol(s)]
    problems += [f"{name}: at least one is needed" for name in ("symbols",) if not getattr(checked, name)]
    if checked.trading_mode != "paper":
        problems.append(f"trading_mode {checked.trading_mode!r}: an orchestrator trades on paper only")
    if problems:
        raise StrategyRefused("; ".join(problems))
    return msgspec.structs.replace(checked, risk_management=limits)


def find(name: str | Path, folders: Sequence[str | Path]) -> Found:
    """Return a strategy by ``NAME``, ``NAME@VERSION`` or path. ``StrategyRefused`` if there is none."""
    if isinstance(name, Path) or "/" in name:
        plugin = plugins.inspect(name)
        if isinstance(plugin, Broken):
            raise StrategyRefused(f"{plugin.path}: {'; '.join(map(str, plugin.errors))}")
        return plugin
    catalogue = plugins.scan(folders)
    found = catalogue.find(name)
    if found is None:
        broken = [
            f"; {path}: {'; '.join(map(str, one.errors))}"
            for path, one in sorted(catalogue.broken.items())
            if one.name == name.partition("@")[0]
        ]
        raise StrategyRefused(f"there is no strategy {name!r}{catalogue.near(name)}{''.join(broken)}")
    return found


def grant(
    config: StrategyConfig,
    plugin: Found,
    *,
    limits: Limits,
    budgets: Budgets,
    trusted: bool,
    packages: PackageStore | None,
) -> CellSpec:
    """Write down what its first instance is granted; endpoints and token follow at its birth."""
    try:
        parameters = dict(config.parameters)
        if plugin.schema is not None:
            parameters = plugin.schema.effective(parameters)
    except ParametersInvalid as error:
        raise StrategyRefused(f"{config.strategy_id}: {error}") from None
    risk = msgspec.structs.asdict(config.risk_management)
    return CellSpec(
        deployment_id=config.strategy_id,
        generation=1,
        strategy=plugin.name,
        version=plugin.version,
        code_path=plugin.path,
        account_id=config.account_id,
        trading_mode="paper",
        symbols=list(config.symbols),
        timeframes=list(config.timeframes),
        parameters=parameters,
        risk={name: value for name, value in risk.items() if value is not None},
        market_endpoint=PLACEHOLDER,
        report_endpoint=PLACEHOLDER,
        token="",
        conflate=False,
        packages=_bring(plugin, packages),
        trusted=trusted or plugin.built_in,
        limits=msgspec.structs.replace(limits, signals_per_s=SIGNALS_PER_S),
        budgets=budgets,
    )


def _bring(plugin: Found, packages: PackageStore | None) -> str:
    """Install what a strategy needs; return where it is, "" if it needs nothing."""
    if plugin.lock is None:
        return ""
    if packages is None:
        raise StrategyRefused(f"{plugin.reference} needs packages: give the orchestrator a PackageStore")
    if why := packages.objection(plugin.lock):
        raise StrategyRefused(f"{plugin.reference}: {why}")
    try:
        return str(packages.bring(plugin.lock))
    except InstallFailed as error:
        raise StrategyRefused(f"{plugin.reference}: {error}") from None
