"""Fills, positions and guards for the tests of protective exits: one symbol, one deployment."""

from msgspec.structs import replace

from bus.messages import Candle, Fill, Position, Tick
from strategies.trading.protection import Protection, after_fill, build

T0 = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def fill(quantity, price=100.0, at=T0, **fields):
    return Fill("f", "s", "d", "acct", "X", quantity, price, 0.0, at, **fields)


def position(quantity, average=100.0):
    return Position("d", "X", quantity, average)


def guard(side=1, entry=100.0, at=T0, after=7, **asked):
    """Return the guard of a position of one unit that was opened at ``entry``."""
    made = build(fill(side, entry, at), position(side, entry), Protection(**asked), seq=3, after=after)
    assert made is not None
    return made


class Holding:
    """A position at average cost and what guards it, by fills."""

    def __init__(self):
        self.position = position(0.0, 0.0)
        self.guard = None

    def fill(self, quantity, price, protect=None, *, at=T0, after=0):
        held, average = self.position.quantity, self.position.average_price
        now = held + quantity
        if held * quantity >= 0:
            average = (average * held + price * quantity) / now
        elif now * held < 0:
            average = price
        self.position = replace(self.position, quantity=now, average_price=average if now else 0.0)
        self.guard = after_fill(
            self.guard, fill(quantity, price, at), self.position, protect, seq=1, after=after
        )
        return self.guard


def tick(bid=None, ask=None, last=None, ts=T0 + SECOND, *, flags=0, symbol="X"):
    return Tick(symbol, ts, last, None, bid, ask, flags=flags)


def candle(open_, high, low, close, at=T0, **fields):
    return Candle("X", "1m", at, at + 60 * SECOND, open_, high, low, close, 1.0, **fields)
