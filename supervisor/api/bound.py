"""The daemon as whoever asks may see it: all of it, or the one account that a key is bound to.

``BoundPort`` stands between the routes and the daemon. It knows from ``caller.asking`` who asks, so a route
uses the ``daemon`` that it was given and thinks of nothing. A caller without an account passes through. For
one with an account every method of ``DaemonPort`` has a decision in ``DECISIONS``; one without a decision
is refused, so what is forgotten is closed and not open (a test compares the table with the protocol).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final, cast

from supervisor.api.caller import asking
from supervisor.api.port import DaemonPort
from supervisor.api.within import (
    RULE,
    Call,
    Decision,
    Within,
    counted,
    denied,
    executed,
    found_signals,
    ledger,
    listed,
    one_account,
    one_deployment,
    own_answer,
    own_candles,
    own_events,
    own_readiness,
    own_signal,
    own_signals,
    own_status,
    own_stream,
    passes,
    promoted,
    selected,
    started,
)
from supervisor.errors import Refused

DECISIONS: Final[dict[str, Decision]] = {
    "status": own_status,
    "feeds": passes,
    "owners": denied,
    "born": denied,
    # deployments
    "deployments": listed,
    "describe": one_deployment,
    "start": started,
    "stop": selected,
    "pause": selected,
    "resume": selected,
    "restart": selected,
    "reset_failed": selected,
    "remove": selected,
    # saved states
    "checkpoints": one_deployment,
    "state": one_deployment,
    "restore_state": one_deployment,
    "clear_state": one_deployment,
    # lines
    "logs": one_deployment,
    "events": own_events,
    "signals": own_signals,
    "stream": own_stream,
    "scrape": denied,
    # strategies
    "strategies": counted,
    "catalogue": counted,
    "rescan": counted,
    "register": denied,
    "unregister": denied,
    "strategy": counted,
    "strategy_schema": counted,
    "strategy_source": counted,
    "validate_parameters": counted,
    # markets
    "symbols": counted,
    "calendar": passes,
    # the daemon
    "readiness": own_readiness,
    "version": passes,
    "system": denied,
    "config": denied,
    "pause_all": denied,
    "resume_all": denied,
    "drain": denied,
    "reload": denied,
    # running
    "check_code": passes,
    "register_code": passes,  # the registrar knows whose a name is
    "code_versions": counted,
    "code_content": passes,
    "activate_code": passes,
    "roll_back_code": passes,
    "remove_code": passes,
    "label_strategy": passes,
    "replace_code": passes,
    "execute": executed,
    "backtest": counted,
    # one deployment
    "change": one_deployment,
    "schedule": one_deployment,
    "set_schedule": one_deployment,
    "promote": promoted,
    "latch": one_deployment,
    "command": one_deployment,
    "inspect": one_deployment,
    "save_state": one_deployment,
    "deployment_events": one_deployment,
    "events_of": denied,
    "incidents": one_deployment,
    "metrics": one_deployment,
    "performance": one_deployment,
    "equity": one_deployment,
    "find_signals": found_signals,
    "signal": own_signal,
    "pending_signals": found_signals,
    "approve_signal": own_answer,
    "reject_signal": own_answer,
    "candles": own_candles,
    # keys
    "create_key": denied,
    "keys": denied,
    "revoke_key": denied,
    "audit": denied,
    # webhooks
    "create_webhook": denied,
    "webhooks": denied,
    "revoke_webhook": denied,
    "take_alert": one_deployment,
    # notifications
    "notifications": denied,
    "add_notification": denied,
    "remove_notification": denied,
    "test_notification": denied,
    # money
    "accounts": listed,
    "account": one_account,
    "pause_account": one_account,
    "kill_account": one_account,
    "rearm_account": one_account,
    "resume_account": one_account,
    "account_limits": one_account,
    "change_account_limits": one_account,
    "account_exposure": one_account,
    "account_loss": one_account,
    "rearm": one_deployment,
    "positions": ledger,
    "orders": ledger,
    "trades": ledger,
}
"""What each method of ``DaemonPort`` is for a caller with an account."""


class BoundPort:
    """The daemon as whoever asks now may see it: a ``DaemonPort`` by ``bound``."""

    def __init__(self, port: DaemonPort) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        """Return the daemon's method, which looks at the caller each time that it is called."""
        call: Any = getattr(self._port, name)
        decide = DECISIONS.get(name, denied)
        if not callable(call):
            return call
        return self._awaited(call, decide) if _is_async(call) else self._open(call)

    def _awaited(self, call: Call, decide: Decision) -> Call:
        @functools.wraps(call)
        async def ask(*args: Any, **asked: Any) -> Any:
            account = asking.get().account
            if not account:
                return await call(*args, **asked)
            return await decide(Within(self._port, account), call, *args, **asked)

        return ask

    def _open(self, call: Callable[..., Any]) -> Any:
        @functools.wraps(call)
        def ask(*args: Any, **asked: Any) -> Any:
            if account := asking.get().account:
                raise Refused(
                    RULE, f"this key is bound to the account {account!r}, and that is of the daemon"
                )
            return call(*args, **asked)

        return ask


def _is_async(call: object) -> bool:
    return inspect.iscoroutinefunction(call)


def bound(port: DaemonPort) -> DaemonPort:
    """Return ``port`` as its callers may see it."""
    return cast(DaemonPort, BoundPort(port))
