"""An example of each body that is sent, by the name of its model; a test holds each to its model."""

from __future__ import annotations

from typing import Any, Final

EXAMPLES: Final[dict[str, dict[str, Any]]] = {
    "AlertRequest": {
        "id": "breakout 2026-11-20T14:30:00Z",
        "symbol": "EURUSD",
        "intent": "enter_long",
        "quantity": 1000,
        "stop_loss": {"kind": "pct", "value": 1.5},
        "reason": "new high",
        "reference_price": 1.0842,
    },
    "WebhookRequest": {"deployment_id": "alerts", "name": "tradingview", "expires_in": "90d"},
    "ApprovalRequest": {"reason": "as agreed on the phone"},
    "ActionRequest": {"ids": ["eurusd"], "reason": "news at 14:30", "wait": True},
    "CommandRequest": {"name": "set_bias", "payload": {"bias": 0.5}},
    "CodeRequest": {
        "name": "breakout",
        "description": "Buys a new high",
        "instruments": ["EURUSD"],
        "timeframe": "5m",
        "parameters": {"lookback": 20},
        "code": "from strategies import IStrategy\n\n\nclass Breakout(IStrategy):\n"
        '    def initialize(self, config):\n        self.lookback = config.parameters["lookback"]\n\n'
        "    def on_candle_complete(self, timeframe, candle, data):\n        return None\n",
    },
    "KeyRequest": {"name": "dashboard", "scopes": ["read"], "expires_in": "90d"},
    "LatchRequest": {"reason": "looks wrong"},
    "NamedValues": {"quantity": 2.0},
    "QuotaPatch": {"memory": "256M", "cpu": 0.5},
    "RegisterRequest": {"path": "/srv/strategies/trend"},
    "StartRequest": {
        "id": "eurusd",
        "strategy": "moving_average_crossover",
        "symbols": ["EURUSD"],
        "timeframes": ["5m"],
        "parameters": {"fast_period": 5, "slow_period": 20},
        "risk": {"max_exposure": 10_000},
    },
    "SystemRequest": {"reason": "an upgrade"},
    "VerbRequest": {"reason": "news at 14:30", "wait": True},
    "NotificationRequest": {
        "name": "team",
        "kind": "slack",
        "url": "https://hooks.slack.com/services/T000/B000/XXXX",
        "severity": "critical",
    },
    "PromoteRequest": {},
}
