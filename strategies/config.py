"""What a strategy is told about itself: frozen data, no behaviour.

Percentages are percent (2.0 is two per cent), money is in the account's currency, quantities are units
of the instrument. None always means "no such limit", never zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from bus.messages import Price
from bus.timeframes import parse
from strategies.errors import ParametersInvalid, Problem
from strategies.nearest import suggestion

TradingMode: TypeAlias = Literal["paper", "live", "backtest"]
Percentage: TypeAlias = Annotated[float, Meta(gt=0, le=100)]
Orders: TypeAlias = Annotated[int, Meta(gt=0)]

_WORDS: Final = (
    ("Expected", "expected"),
    ("`float | null`", "a number"),
    ("`int | null`", "a whole number"),
    ("`array | null`", "a list"),
    ("`str | null`", "text"),
    ("`float`", "a number"),
    ("`int`", "a whole number"),
    ("> 0.0", "above 0"),
    (">= 1", "from 1 on"),
    ("<= 100.0", "of at most 100"),
)
"""What msgspec says of a wrong limit, and in which words it is told."""

CAPACITY: Final = 5_000
"""Candles kept a series by default: 20 years of days, 3.5 days of minutes, 0.7 MiB when full."""


class RiskConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits that the engine holds a deployment to (signals.md); the strategy only reads them.

    ``max_notional`` is of the position in one symbol, ``max_exposure`` of all together. The favourable move
    in percent at which the trailing stop arms is ``trailing_stop_activation``. ``max_drawdown`` is percent
    from the peak of the deployment's equity; ``time_stop`` and what ends in ``_s`` or ``_after_stop`` are
    seconds. ``allowed_sessions`` ("HH:MM-HH:MM") and ``square_off_at`` ("HH:MM") are local times of the
    symbol's calendar. With ``approval`` manual a person approves what takes on risk, for ``approval_timeout``
    seconds at most (None: as the daemon is configured).
    """

    max_position_size: Price | None = None
    max_notional: Price | None = None
    max_exposure: Price | None = None
    max_open_positions: Orders | None = None
    max_orders_per_min: Orders | None = None
    max_orders_per_day: Orders | None = None
    max_identical_orders_per_min: Orders | None = None
    max_daily_loss: Price | None = None
    max_daily_loss_percentage: Percentage | None = None
    max_drawdown: Percentage | None = None
    daily_profit_lock: Price | None = None
    stop_loss_percentage: Percentage | None = None
    take_profit_percentage: Percentage | None = None
    trailing_stop_percentage: Percentage | None = None
    trailing_stop_activation: Percentage | None = None
    time_stop: Price | None = None
    cooldown_after_loss: Orders | None = None
    cooldown_after_loss_s: Price | None = None
    cooling_off_after_stop: Price | None = None
    allowed_sessions: list[str] | None = None
    square_off_at: str | None = None
    on_breach: Literal["pause", "exit_only", "flatten", "lock"] = "pause"
    approval: Literal["auto", "manual"] = "auto"
    approval_timeout: Price | None = None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> RiskConfig:
        """Check ``values`` (numbers may be text, as on a command line); all errors at once."""
        problems = [
            Problem(f"risk.{name}", f"unknown limit{suggestion(name, cls.__struct_fields__)}")
            for name in values
            if name not in cls.__struct_fields__
        ]
        checked = {}
        for name, value in values.items():
            if name not in _LIMITS:
                continue
            try:
                checked[name] = msgspec.convert(value, _LIMITS[name], strict=not isinstance(value, str))
            except msgspec.ValidationError as error:
                problems.append(Problem(f"risk.{name}", f"{value!r}: {_wanted(name, str(error))}"))
        if problems:
            raise ParametersInvalid(problems)
        return cls(**checked)


def _wanted(name: str, said: str) -> str:
    """Put what msgspec expected of a limit in the words of whoever set it."""
    if get_origin(_LIMITS[name]) is Literal:
        return f"expected {' or '.join(get_args(_LIMITS[name]))}"
    for meant, words in _WORDS:
        said = said.replace(meant, words)
    return said.partition(", got ")[0]


_LIMITS = {field.name: field.type for field in msgspec.structs.fields(RiskConfig)}
"""The type of each limit. Here, and so once in the zygote: looking the hints up costs a cell 0.6 MiB."""


class StrategyConfig(Struct, frozen=True, kw_only=True):
    """One deployment as its strategy sees it: ``strategy_id`` is the deployment's id.

    ``timeframes`` come out canonical and ascending, whatever was given: ``60m`` and ``1h`` are one.
    """

    strategy_id: str
    account_id: str
    trading_mode: TradingMode
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    parameters: dict[str, Any] = {}
    risk_management: RiskConfig = RiskConfig()

    def __post_init__(self) -> None:
        # A list given by a caller must not change under the strategy, nor the strategy change it.
        msgspec.structs.force_setattr(self, "symbols", tuple(self.symbols))
        ascending = sorted({parse(name) for name in self.timeframes})
        msgspec.structs.force_setattr(self, "timeframes", tuple(frame.id for frame in ascending))
