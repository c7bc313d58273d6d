"""The owner of what external alerts trade: it asks for nothing itself (docs/webhooks.md).

The alerts of its webhooks are signals of this deployment, judged and booked like those of any other. It is an
instance like any other too: paused, stopped and latched by the same verbs, and while it does not run no alert
is taken.
"""

from __future__ import annotations

from strategies import Candle, IStrategy, MultiTimeframeData, StrategyConfig


class ExternalSignals(IStrategy):
    """Holds, and never signals."""

    def initialize(self, config: StrategyConfig) -> None:
        """Need nothing."""

    def on_candle_complete(self, timeframe: str, candle: Candle, data: MultiTimeframeData) -> None:
        """Ask for nothing."""
