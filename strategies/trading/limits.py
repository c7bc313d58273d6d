"""The risk configuration of a deployment or an account, read into what is compared.

Every field of ``RiskConfig`` is held. What is no limit (a NaN, a text, a time of day that does not exist)
and what nobody knows blocks entries by name; it is never taken for "no limit".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from bus.messages import Level, Trail
from strategies.trading.latches import LATCH_KINDS, LatchKind
from strategies.trading.levels import Protection

Window: TypeAlias = tuple[int, int]
"""Minutes of a local day, half open; a window that ends before it starts goes on after midnight."""

Approval: TypeAlias = Literal["auto", "manual"]
APPROVALS: Final = ("auto", "manual")

Kind: TypeAlias = Literal["amount", "count", "percentage"]

_AMOUNTS: Final = (
    "max_position_size", "max_notional", "max_exposure", "max_daily_loss", "daily_profit_lock", "time_stop",
    "cooldown_after_loss_s", "cooling_off_after_stop", "approval_timeout",
)  # fmt: skip
_COUNTS: Final = (
    "max_open_positions", "max_orders_per_min", "max_orders_per_day", "max_identical_orders_per_min",
    "cooldown_after_loss",
)  # fmt: skip
_PERCENTAGES: Final = (
    "max_daily_loss_percentage", "max_drawdown", "stop_loss_percentage", "take_profit_percentage",
    "trailing_stop_percentage", "trailing_stop_activation",
)  # fmt: skip
_POSITIVE: Final = frozenset({
    "time_stop", "cooldown_after_loss", "cooldown_after_loss_s", "cooling_off_after_stop",
    "daily_profit_lock", "approval_timeout",
})  # fmt: skip
"""Where zero would say nothing: a limit of zero bars, an exit after zero seconds is none."""
NUMBERS: Final[dict[str, Kind]] = {
    **dict.fromkeys(_AMOUNTS, "amount"),
    **dict.fromkeys(_COUNTS, "count"),
    **dict.fromkeys(_PERCENTAGES, "percentage"),
}
_NEEDS: Final = {
    "cooldown_after_loss": "cooldown_after_loss_s",
    "cooldown_after_loss_s": "cooldown_after_loss",
    "trailing_stop_activation": "trailing_stop_percentage",
}
"""What means nothing without another: both halves of a cooldown; the move that arms a trailing stop."""
_ALLOWED: Final[dict[Kind, str]] = {
    "amount": "a finite number {least}",
    "count": "a whole number {least}",
    "percentage": "a percentage above 0, at most 100",
}


class Limits(Struct, frozen=True, kw_only=True):
    """What one deployment or one account is held to. None is no limit, never zero.

    ``max_position_size`` is in units of one symbol, long or short alike; ``max_notional`` is the worth of
    the position in one symbol, ``max_exposure`` that of all together without their signs; money is in the
    account's currency. Percentages are percent, durations seconds, ``allowed_sessions`` and
    ``square_off_at`` local minutes from midnight of the symbol's calendar.

    ``approval`` manual: what takes on risk waits for a person, ``approval_timeout`` seconds at most, None for
    the default (approvals.py).

    ``protect`` is what every position of it is guarded by, in percent and seconds. ``unheld`` names what
    nobody knows, ``invalid`` has one sentence for each value that is no limit.
    """

    max_position_size: float | None = None
    max_notional: float | None = None
    max_exposure: float | None = None
    max_open_positions: int | None = None
    max_orders_per_min: int | None = None
    max_orders_per_day: int | None = None
    max_identical_orders_per_min: int | None = None
    max_daily_loss: float | None = None
    max_daily_loss_percentage: float | None = None
    max_drawdown: float | None = None
    daily_profit_lock: float | None = None
    cooldown_after_loss: int | None = None
    cooldown_after_loss_s: float | None = None
    cooling_off_after_stop: float | None = None
    allowed_sessions: tuple[Window, ...] | None = None
    square_off_at: int | None = None
    on_breach: LatchKind = "pause"
    approval: Approval = "auto"
    approval_timeout: float | None = None
    protect: Protection | None = None
    unheld: tuple[str, ...] = ()
    invalid: tuple[str, ...] = ()

    @property
    def needs_equity(self) -> bool:
        """Whether a limit is judged by equity, so that an unknown one blocks entries."""
        return not (
            self.max_daily_loss is self.max_daily_loss_percentage is self.max_drawdown is None
            and self.daily_profit_lock is None
        )

    @property
    def needs_capital(self) -> bool:
        """Whether a limit is a share of equity, so that profit alone does not judge it."""
        return self.max_daily_loss_percentage is not None or self.max_drawdown is not None

    @property
    def caps_holdings(self) -> bool:
        """Whether a limit is judged by what is held and waits, in one symbol or together."""
        return not (
            self.max_position_size is self.max_notional is self.max_exposure is None
            and self.max_open_positions is None
        )

    @property
    def counts_orders(self) -> bool:
        """Whether the orders of the last minute have to be known."""
        return self.max_orders_per_min is not None or self.max_identical_orders_per_min is not None

    @classmethod
    def of(cls, risk: Mapping[str, Any]) -> Limits:
        """Read ``risk`` (the fields of ``RiskConfig``); what is wrong blocks entries and raises nothing."""
        wanted = {name: value for name, value in risk.items() if value is not None}
        fields: dict[str, Any] = {}
        invalid: list[str] = []
        for name, value in wanted.items():
            read, allowed = _read(name, value)
            if allowed:
                invalid.append(f"{name} is {value!r}, not {allowed}")
            else:
                fields[name] = read
        invalid += [f"{name} needs {other}" for name, other in _NEEDS.items() if _alone(name, other, wanted)]
        return cls(
            protect=_protection(fields),
            unheld=tuple(sorted(name for name in wanted if name not in _KNOWN)),
            invalid=tuple(invalid),
            **{name: value for name, value in fields.items() if name in cls.__struct_fields__},
        )


_KNOWN: Final = frozenset(NUMBERS) | {"allowed_sessions", "square_off_at", "on_breach", "approval"}


def minute_of_day(text: object) -> int | None:
    """Return the minutes from midnight of ``HH:MM`` (``24:00`` is the end of a day), None if it is none."""
    if not isinstance(text, str) or len(text) != 5 or text[2] != ":":
        return None
    hours, minutes = text[:2], text[3:]
    if not (text.isascii() and hours.isdigit() and minutes.isdigit()) or int(minutes) > 59:
        return None
    total = int(hours) * 60 + int(minutes)
    return total if total <= 1440 else None


def within(minute: int, windows: tuple[Window, ...]) -> bool:
    """Whether the local ``minute`` lies in one of ``windows``."""
    return any(
        start <= minute < end if start < end else minute >= start or minute < end for start, end in windows
    )


def _read(name: str, value: Any) -> tuple[Any, str]:
    """Return the value of one field, and "" or what would be allowed."""
    if name in NUMBERS:
        return _number(name, value)
    if name == "on_breach":
        return value, "" if value in LATCH_KINDS else f"one of {', '.join(LATCH_KINDS)}"
    if name == "approval":
        return value, "" if value in APPROVALS else f"one of {', '.join(APPROVALS)}"
    if name == "square_off_at":
        minute = minute_of_day(value)
        return minute, "" if minute is not None and minute < 1440 else "a time of day, HH:MM"
    if name == "allowed_sessions":
        windows = [_window(each) for each in value] if isinstance(value, list | tuple) else [None]
        return tuple(windows), "a list of HH:MM-HH:MM" if None in windows else ""
    return None, ""


def _number(name: str, value: Any) -> tuple[float | int | None, str]:
    kind = NUMBERS[name]
    zero = name not in _POSITIVE and kind != "percentage"
    good = (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and (value >= 0 if zero else value > 0)
        and (kind != "percentage" or value <= 100)
        and (kind != "count" or value == int(value))
    )
    if not good:
        return None, _ALLOWED[kind].format(least="above or at zero" if zero else "above zero")
    return (int(value) if kind == "count" else float(value)), ""


def _window(text: object) -> Window | None:
    if not isinstance(text, str):
        return None
    start, _, end = text.partition("-")
    first, last = minute_of_day(start.strip()), minute_of_day(end.strip())
    if first is None or last is None or first in {last, 1440}:
        return None
    return first, last


def _alone(name: str, other: str, wanted: Mapping[str, Any]) -> bool:
    return name in wanted and other not in wanted


def _protection(fields: Mapping[str, Any]) -> Protection | None:
    stop, target = fields.get("stop_loss_percentage"), fields.get("take_profit_percentage")
    trail, seconds = fields.get("trailing_stop_percentage"), fields.get("time_stop")
    if stop is target is trail is seconds is None:
        return None
    return Protection(
        widest_stop=stop,
        widest_trail=trail,
        take_profit=None if target is None else Level("pct", target),
        trailing_stop=None if trail is None else Trail("pct", trail, fields.get("trailing_stop_activation")),
        time_stop_s=seconds,
    )
