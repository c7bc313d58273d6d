"""The risk configuration of a deployment as the gate holds it.

A limit that this version cannot hold yet blocks entries by name; it is never silently left out. The
protective exits and the rest of signals.md's risk configuration come with their own module, and then
leave the two tables here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

PROTECTIVE: Final = frozenset({
    "stop_loss_percentage", "take_profit_percentage", "trailing_stop_percentage",
    "trailing_stop_activation", "time_stop", "square_off_at",
})  # fmt: skip
"""Limits that demand an exit which the engine does not make yet."""

HARMLESS: Final = frozenset({"on_breach"})
"""What to do on a breach of a limit: means nothing without one, and every limit held here refuses."""


class Limits(Struct, frozen=True, kw_only=True):
    """What is held, and the names of what is demanded but cannot be. None is no limit, never zero.

    ``max_position_size`` is in units, long or short alike; ``max_notional`` in the currency of the
    instrument, units times last price. ``invalid`` holds one sentence for each value that is no limit.
    """

    max_position_size: float | None = None
    max_notional: float | None = None
    protective: tuple[str, ...] = ()
    not_held: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()

    @classmethod
    def of(cls, risk: Mapping[str, Any]) -> Limits:
        """Read ``risk`` (the fields of ``RiskConfig``); what is wrong blocks entries and raises nothing."""
        wanted = {name: value for name, value in risk.items() if value is not None and name not in HARMLESS}
        held = {name: wanted.pop(name) for name in ("max_position_size", "max_notional") if name in wanted}
        invalid = [
            f"{name} is {value!r}, not a finite number above or at zero"
            for name, value in held.items()
            if not _is_limit(value)
        ]
        return cls(
            max_position_size=_number(held.get("max_position_size")),
            max_notional=_number(held.get("max_notional")),
            protective=tuple(name for name in sorted(wanted) if name in PROTECTIVE),
            not_held=tuple(name for name in sorted(wanted) if name not in PROTECTIVE),
            invalid=tuple(invalid),
        )


def _is_limit(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )


def _number(value: Any) -> float | None:
    return float(value) if _is_limit(value) else None
