"""Limits of an account that an operator tightened while it trades: what binds is the stricter one. Pure.

The configuration file says how much an account may do at most. A tightened limit is beside it, never in its
place: it is a ceiling of its own, and whichever is lower holds. So nothing that is done over the API lets an
account do more than its file does, whatever either says later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from strategies.trading.limits import NUMBERS, Limits
from supervisor.errors import Invalid, Refused, near_matches

LOWER_IS_STRICTER: Final = tuple(
    sorted(name for name in NUMBERS if name.startswith("max_") or name == "daily_profit_lock")
)
"""Limits that can be tightened: where a lower number lets less through. The others have no such order."""


class Tightened(Struct, frozen=True, kw_only=True):
    """One limit that was tightened: to what, by whom, when (nanoseconds since the epoch), and why."""

    value: float
    by: str
    at: int
    reason: str = ""


Book = Mapping[str, Tightened]
"""The tightened limits of one account, by name."""


def binding(configured: Mapping[str, Any], tightened: Book) -> dict[str, Any]:
    """Return what binds an account: of each limit the lower one. What is no number is left as it stands."""
    found = dict(configured)
    for name, one in tightened.items():
        given = found.get(name)
        if given is None or (_is_number(given) and one.value < given):
            found[name] = int(one.value) if NUMBERS.get(name) == "count" else one.value
    return found


def changed(
    before: Book, wanted: Mapping[str, float | None], *, whole: bool, by: str, at: int, reason: str
) -> dict[str, Tightened]:
    """Return the limits as ``wanted`` has them; None takes one away. ``whole``: what is not named goes, too.

    One that has the value already keeps who set it, when and why.
    """
    found = {} if whole else dict(before)
    for name, value in wanted.items():
        known = before.get(name)
        if value is None:
            found.pop(name, None)
        elif known is not None and known.value == value:
            found[name] = known
        else:
            found[name] = Tightened(value=float(value), by=by, at=at, reason=reason)
    return found


def check(account: str, configured: Mapping[str, Any], wanted: Mapping[str, float | None]) -> None:
    """Raise ``Invalid`` with every mistake, or ``Refused`` for what would let more through than the file."""
    wrong = [one for name, value in wanted.items() if (one := _mistake(name, value))]
    if wrong:
        raise Invalid(wrong)
    for name, value in wanted.items():
        given = configured.get(name)
        if value is not None and given is not None and _is_number(given) and value > given:
            raise Refused(
                "limit_looser",
                f"{name} = {value:g} is looser than the {given:g} of [accounts.{account}] risk: "
                "a limit is loosened in the configuration file, and by `stratd reload`",
            )


def loosened(before: Book, after: Book) -> list[str]:
    """Return the names of what was tightened and is no more, or less."""
    return [name for name, one in before.items() if name not in after or after[name].value > one.value]


def told(before: Book, after: Book) -> str:
    """Return what has changed in a line, "" if nothing has."""
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return ", ".join(f"{name} {_shown(before.get(name))} -> {_shown(after.get(name))}" for name in names)


def _shown(one: Tightened | None) -> str:
    return "as configured" if one is None else f"{one.value:g}"


def _mistake(name: str, value: float | None) -> str:
    if name not in LOWER_IS_STRICTER:
        near = near_matches(name, LOWER_IS_STRICTER)
        meant = f"; did you mean {near[0]!r}?" if near else f": one of {', '.join(LOWER_IS_STRICTER)}"
        return f"{name} is no limit that can be tightened{meant}"
    return "" if value is None else "; ".join(Limits.of({name: value}).invalid)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
