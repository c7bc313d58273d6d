"""Which settings a reload takes, by section and name: a decision for every one. Pure.

docs/configuration.md shows these two tables, and a test holds both to the fields of ``Settings``. In the
sections whose tables have names of the operator's (``feeds``, ``accounts``, ``routes``,
``notifications``) it is one decision
for all of them.
"""

from __future__ import annotations

from typing import Final

RELOADED: Final[dict[str, tuple[str, ...]]] = {
    "log": ("level", "format"),
    "api": ("key", "rate", "failures"),
    "limits": (
        "max_concurrent", "max_per_account", "memory_reserve", "memory_overcommit", "disk_reserve",
    ),
    "strategies": ("path", "register_code"),
    "sandbox": ("require",),
    "quota": (
        "memory", "cpu", "cpu_window", "files", "processes", "file_size", "nice", "log_rate", "signal_rate",
        "checkpoint", "backlog",
    ),
    "restart": (
        "policy", "delay", "max_delay", "jitter", "max_restarts", "window", "stable_time",
        "checkpoint_every", "ready_timeout", "stop_timeout", "kill_timeout",
    ),
    "budgets": (
        "tick", "candle", "initialize", "save_state", "cleanup", "errors_in_a_row", "errors_per_minute",
        "extra", "extra_refill",
    ),
    "signals": ("endpoint", "replay_endpoint", "curve_secret_key", "approval_timeout"),
    "candles": ("synthetic",),
    "feeds": (
        "endpoint", "mode", "format", "calendar", "price", "heartbeat", "lateness", "grace", "venue_suffix",
        "curve_server_key", "recovery", "on_loss",
    ),
    "instruments": ("file",),
    "paper": ("commission", "slippage", "latency", "volume_share", "trade_through", "bars"),
    "accounts": (
        "currency", "capital", "live", "route", "timezone", "day_starts", "signal_rate", "risk",
    ),
    "live": ("enabled",),
    "notifications": (
        "kind", "enabled", "events", "severity", "deployments", "accounts", "every", "url", "secret", "token",
        "chat", "host", "port", "user", "password", "sender", "to", "security",
    ),
}  # fmt: skip
"""What holds from the reload on."""

RESTARTED: Final[dict[str, tuple[str, ...]]] = {
    "state_dir": (),
    "runtime_dir": (),
    "api": (
        "host", "names", "port", "tls_cert", "tls_key", "tls_client_ca", "insecure", "group", "max_body",
        "timeout", "max_connections", "max_waiting", "handshake_timeout", "request_timeout",
    ),
    "redis": ("url", "password"),
    "database": ("url",),
    "sandbox": ("setting",),
    "packages": ("index", "wheelhouse", "timeout", "max_size"),
    "quota": ("cpu_policy", "cgroup"),
    "services": (
        "analysis_engine_url", "analysis_engine_key", "feature_store_url", "feature_store_key",
        "trading_gateway_url", "trading_gateway_key", "risk_management_url", "portfolio_management_url",
        "api_key",
    ),
    "routes": (
        "kind", "url", "key", "timeout", "patience", "poll", "failures", "cool_down", "at_once", "most",
        "options",
    ),
}  # fmt: skip
"""What stays as it was until the daemon starts again: sockets, stores, and what holds cells that live."""
