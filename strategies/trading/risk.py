"""Loss, drawdown and pauses after losses: what bars a deployment or an account, judged from its figures.

Equity is in the account's currency: of an account its capital and the profit of all its deployments, of a
deployment the same capital and its own profit only, as if it were alone. It may be unknown (a price, a rate
or the capital is). An unknown equity is no breach, which would close positions on a missing quote; it
blocks entries for as long as a limit needs it, so no limit is ever passed by not looking.

A breach is what only an operator takes back: it sets a latch of the kind that ``on_breach`` says. The other
bars end by themselves: a cooldown with its time, a locked profit with its day.
"""

from __future__ import annotations

import math
from typing import Final, TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from strategies.trading.figures import Figures, begun
from strategies.trading.latches import LatchKind
from strategies.trading.limits import Limits
from strategies.trading.rules import Refusal
from strategies.trading.ttl import SECOND

CENT: Final = 1e-9
"""Relative rounding below which a loss is not beyond its limit, as with every sum of doubles (books)."""


class Breach(Struct, frozen=True):
    """A limit that was passed: ``rule`` names it, ``kind`` is the latch that follows."""

    rule: str
    detail: str
    kind: LatchKind


def new_day(figures: Figures, day: str, equity: float | None) -> Figures:
    """Return the figures at the first look on trading day ``day``, with what it begins with, if known."""
    return peak(begun(figures, day), equity)


def peak(figures: Figures, equity: float | None) -> Figures:
    """Return the figures after a look at ``equity``: the peak is raised, and what was unknown is known.

    The first known equity of a day stands for that of its beginning. That errs towards the strategy by what
    was lost while a price was missing; entries were blocked meanwhile.
    """
    if not _known(equity):
        return figures
    highest = equity if figures.peak_equity is None else max(figures.peak_equity, equity)
    start = equity if figures.start_equity is None else figures.start_equity
    if highest == figures.peak_equity and start == figures.start_equity:
        return figures
    return replace(figures, peak_equity=highest, start_equity=start)


def locked(limits: Limits, figures: Figures, equity: float | None) -> Figures:
    """Return the figures with the day's profit locked if it has reached ``daily_profit_lock``."""
    wanted, start = limits.daily_profit_lock, figures.start_equity
    if figures.locked_profit or wanted is None or start is None or not _known(equity):
        return figures
    return replace(figures, locked_profit=True) if equity - start >= wanted else figures


def rearmed(figures: Figures, equity: float | None) -> Figures:
    """Return the figures once an operator took a latch back: loss and drawdown count from here.

    Without that the same loss would set the latch again at once. An unknown equity leaves both to the next
    look. The run of losses ends as well; the orders of the day stay counted.
    """
    known = equity if _known(equity) else None
    return replace(figures, start_equity=known, peak_equity=known, losses=0)


def assess(limits: Limits, figures: Figures | None, equity: float | None) -> Breach | None:
    """Return the limit that ``equity`` has passed, the loss of the day before the drawdown; None if none.

    A limit is passed when the loss is beyond it, not when it is reached. None while equity or what it is
    compared with is unknown: ``barred`` then keeps entries out.
    """
    if figures is None or not _known(equity):
        return None
    start, highest = figures.start_equity, figures.peak_equity
    if _known(start) and (detail := _loss(limits, start, equity)):
        return Breach("max_daily_loss", detail, limits.on_breach)
    if _known(highest) and (detail := _drawdown(limits, highest, equity)):
        return Breach("max_drawdown", detail, limits.on_breach)
    return None


def barred(limits: Limits, figures: Figures | None, equity: float | None) -> Refusal | None:
    """Return why the risk of the party lets no entry through (step 10); None if it does."""
    if not limits.needs_equity:
        return None
    if figures is None or not _known(equity):
        return Refusal("equity_unknown", "equity is unknown, so loss and drawdown cannot be judged")
    start, highest = figures.start_equity, figures.peak_equity
    if not _known(start) or not _known(highest):
        return Refusal("equity_unknown", "the equity that the day began with is unknown")
    wanted = limits.daily_profit_lock
    if wanted is not None and (figures.locked_profit or equity - start >= wanted):
        return Refusal("daily_profit_lock", f"the day's profit reached {wanted:g} and is kept")
    if detail := _loss(limits, start, equity):
        return Refusal("max_daily_loss", detail)
    detail = _drawdown(limits, highest, equity)
    return Refusal("max_drawdown", detail) if detail else None


def cooling(limits: Limits, figures: Figures | None, now: int) -> Refusal | None:
    """Return the pause after losses or after a stop that lasts at ``now`` (step 3); None if none does."""
    losses, rest = limits.cooldown_after_loss, limits.cooldown_after_loss_s
    stop = limits.cooling_off_after_stop
    if losses is None and stop is None:
        return None
    if figures is None:
        return Refusal("figures_unknown", "the run of losses is unknown")
    if losses is not None and rest is not None and figures.losses >= losses:
        left = _left(figures.last_loss_at, rest, now)
        if left > 0:
            return Refusal("cooldown_after_loss", f"{figures.losses} losses in a row: {left:.0f} s left")
    if stop is not None and figures.last_stop_at:
        left = _left(figures.last_stop_at, stop, now)
        if left > 0:
            return Refusal("cooling_off_after_stop", f"a stop ended a position: {left:.0f} s left")
    return None


def _known(money: float | None) -> TypeGuard[float]:
    return money is not None and math.isfinite(money)


def _left(since: int, seconds: float, now: int) -> float:
    """Return the seconds that are left of a pause; a clock before its beginning ends nothing."""
    return seconds - (now - since) / SECOND


def _loss(limits: Limits, start: float, equity: float) -> str:
    lost, least = start - equity, CENT * max(abs(start), abs(equity))
    most = limits.max_daily_loss
    if most is not None and lost > most + least:
        return f"lost {lost:g} today, at most {most:g}"
    share = limits.max_daily_loss_percentage
    if share is not None and lost > start * share / 100 + least:
        return f"lost {lost:g} today of {start:g}, at most {share:g} %"
    return ""


def _drawdown(limits: Limits, highest: float, equity: float) -> str:
    share = limits.max_drawdown
    if share is None:
        return ""
    if highest - equity > highest * share / 100 + CENT * max(abs(highest), abs(equity)):
        return f"{highest - equity:g} below the peak of {highest:g}, at most {share:g} %"
    return ""
