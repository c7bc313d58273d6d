"""Rates of exchange between currencies, from the last prices of instruments that quote them.

A rate is that of now and of no other time: what was realised in another currency long ago is worth what
it would fetch today. Unknown is None and never one, nor zero; a price that is no rate (zero, below it,
not finite) is unknown. Rates are last or middle prices: errs towards whoever converts, by half a spread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from math import isfinite

from strategies.trading.instruments import Instrument


class Rates:
    """What one unit of a currency is worth in another, by ``price`` (symbol -> last price or None).

    Built once for a table of instruments; prices are asked for anew at each question. Instruments with a
    ``base`` quote a pair; where several quote the same, the first by symbol that has a price decides.
    """

    def __init__(self, price: Callable[[str], float | None], instruments: Mapping[str, Instrument]) -> None:
        self._price = price
        self._quotes: dict[tuple[str, str], list[str]] = {}
        self._partners: dict[str, list[str]] = {}
        for symbol in sorted(instruments):
            one = instruments[symbol]
            if one.base and one.currency and one.base != one.currency:
                self._quotes.setdefault((one.base, one.currency), []).append(symbol)
        pairs = sorted(set(chain(self._quotes, ((b, a) for a, b in self._quotes))))
        for currency, other in pairs:
            self._partners.setdefault(currency, []).append(other)

    def rate(self, source: str, target: str) -> float | None:
        """Return how much ``target`` one unit of ``source`` is; None while that is unknown.

        The pair itself, else the inverse of its opposite, else over one third currency, the first by name
        of which both rates are known. A pair that is quoted both ways is taken as it is asked for.
        """
        if source == target:
            return 1.0
        direct = self._pair(source, target)
        if direct is not None:
            return direct
        for middle in self._partners.get(source, ()):
            one, other = self._pair(source, middle), self._pair(middle, target)
            if one is not None and other is not None:
                return _rate(one * other)
        return None

    def convert(self, amount: float, source: str, target: str) -> float | None:
        """Return ``amount`` of ``source`` in ``target``; None if the rate is unknown and it matters."""
        if amount == 0.0:
            return 0.0
        rate = self.rate(source, target)
        return None if rate is None else amount * rate

    def _pair(self, source: str, target: str) -> float | None:
        """Return the rate of the pair, quoted one way or the other."""
        quoted = self._quoted(source, target)
        if quoted is not None:
            return quoted
        inverse = self._quoted(target, source)
        return None if inverse is None else _rate(1.0 / inverse)

    def _quoted(self, base: str, currency: str) -> float | None:
        for symbol in self._quotes.get((base, currency), ()):
            price = self._price(symbol)
            if price is not None and (known := _rate(price)) is not None:
                return known
        return None


def _rate(number: float) -> float | None:
    return number if isfinite(number) and number > 0.0 else None
