"""What the API asks of the catalogue and of markets: the part of ``FakeDaemon`` that those ports name.

The answers are made by the real code, of two strategies that lie nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bus.sessions import overnight
from strategies import schemas
from strategies.plugins import Found
from strategies.trading.instruments import Instruments, parse
from supervisor import listing, market_data
from supervisor.errors import Failed, NotFound, Refused, near_matches
from supervisor.life import State
from supervisor.listing import Used
from supervisor.schema import DeploymentRow, RescanResult, StrategyView
from supervisor.schema.catalogue import (
    ParametersReport,
    SourceFile,
    SourceView,
    StrategyDetail,
    StrategyRow,
)
from supervisor.schema.data import CalendarView, SymbolView

SCHEMA, _ = schemas.read(
    [
        {"name": "fast", "type": "integer", "default": 5, "min": 2, "max": 50},
        {"name": "slow", "type": "integer", "default": 20, "min": 10, "max": 200},
    ],
    ["fast < slow"],
)
CROSSOVER = Found(
    name="crossover",
    version="1.0.0",
    path="/opt/crossover",
    type="trend_following",
    symbols=("EURUSD",),
    timeframes=("5m",),
    schema=SCHEMA,
    code_hash="ab" * 32,
)
FX = overnight("FX", "America/New_York", "17:00", "17:00")
NOW = 1_763_681_904_123_456_789


class FakeCatalogue:
    rows: dict[str, DeploymentRow]
    calls: list[tuple[object, ...]]
    instruments: Instruments = parse(
        '[EURUSD]\ntick_size = 0.00001\ncurrency = "USD"\nbase = "EUR"\n[ES]\nmultiplier = 0\n'
    )

    async def strategies(self, *, account: str | None = None) -> list[StrategyRow]:
        self._stumble()
        return listing.rows([CROSSOVER], self._used(account))

    async def catalogue(self, *, account: str | None = None) -> list[StrategyView]:
        return [
            StrategyView(name="crossover", version="1.0.0", type="trend_following", code_hash="ab" * 32),
            StrategyView(
                name="bad", version="", state="broken", errors=["name: missing", "version: missing"]
            ),
        ]

    async def strategy(self, reference: str, *, account: str | None = None) -> StrategyDetail:
        found = self._known(reference)
        view = StrategyView(name=found.name, version=found.version)
        return listing.detail(
            found, self._used(account), view=view, versions=[found.version], registered=True
        )

    async def strategy_schema(self, reference: str, *, account: str | None = None) -> dict[str, Any]:
        self._known(reference)
        return SCHEMA.json_schema()

    async def strategy_source(self, reference: str, *, account: str | None = None) -> SourceView:
        found = self._known(reference)
        files = [SourceFile(name="strategy.py", size=12, text="import this\n"), SourceFile(name="m", size=9)]
        return SourceView(id=found.name, version=found.version, code_hash=found.code_hash, files=files)

    async def validate_parameters(
        self, reference: str, parameters: Mapping[str, Any], *, account: str | None = None
    ) -> ParametersReport:
        self._known(reference)
        checked = SCHEMA.check(parameters)
        if checked.problems:
            return ParametersReport(ok=False, errors=[str(problem) for problem in checked.problems])
        return ParametersReport(ok=True, effective=checked.values)

    async def unregister(self, reference: str, *, by: str) -> RescanResult:
        self._known(reference)
        self.calls.append(("unregister", reference))
        if users := [row.id for row in self.rows.values() if row.strategy == CROSSOVER.name]:
            raise Refused("in_use", f"{reference} is the strategy of {', '.join(users)}; remove those first")
        return RescanResult(removed=[CROSSOVER.reference])

    async def rescan(self, *, account: str | None = None) -> RescanResult:
        self.calls.append(("rescan",))
        return RescanResult(added=["crossover@1.0.0"])

    async def register(self, path: str) -> StrategyView:
        self.calls.append(("register", path))
        return StrategyView(name=Path(path).name, version="1.0.0", code_hash="cd" * 32, path=path)

    # ---- markets ----
    async def symbols(self, *, account: str | None = None) -> list[SymbolView]:
        self._stumble()
        return market_data.symbols(self.instruments, self._used(account))

    async def calendar(self, venue: str, *, days: int) -> CalendarView:
        if venue != FX.name:
            raise NotFound("calendar", venue, near_matches(venue, [FX.name]))
        return market_data.calendar(FX, NOW, days)

    def _used(self, account: str | None) -> list[Used]:
        return [
            Used(one.id, one.strategy, one.version, State(one.state), one.symbols, one.timeframes)
            for one in self.rows.values()
            if account in (None, one.account)
        ]

    def _known(self, reference: str) -> Found:
        self._stumble()
        if reference == "bad":
            raise Failed("strategy bad is broken: name: missing (/opt/bad)")
        if reference not in (CROSSOVER.name, CROSSOVER.reference):
            raise NotFound("strategy", reference, near_matches(reference, [CROSSOVER.name]))
        return CROSSOVER

    def _stumble(self) -> None:
        raise NotImplementedError
