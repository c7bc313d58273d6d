"""What came, in order: lines of a log, events, signals. To see what comes, ``follow`` of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import READ_TIMEOUT, Call, get, segment

if TYPE_CHECKING:
    from supervisor.schema import Death, EventView, LogLine, SignalChain, SignalView
    from supervisor.schema.performance import EquityView, MetricsView, PerformanceView


def logs(deployment_id: str, *, n: int | None = None, follow: bool | None = None) -> Call[list[LogLine]]:
    """The last ``n`` lines that a strategy printed and logged, oldest first. ``follow``: for ``lines``."""
    query = {"n": n, "follow": follow}
    return get(f"deployments/{segment(deployment_id)}/logs", query, timeout=_patience(follow))


def events(
    *, after: int | None = None, n: int | None = None, follow: bool | None = None
) -> Call[list[EventView]]:
    """What the daemon did: the last ``n`` events, or the first above number ``after``."""
    return get("events", {"n": n, "after": after, "follow": follow}, timeout=_patience(follow))


def signals(
    deployment_id: str | None = None,
    *,
    account: str | None = None,
    verdict: str | None = None,
    rule: str | None = None,
    after: int | None = None,
    n: int | None = None,
    follow: bool | None = None,
) -> Call[list[SignalView]]:
    """Signals with verdict and rule, of one deployment or all: the last ``n``, or those above ``after``."""
    query = {
        "deployment_id": deployment_id, "account": account, "verdict": verdict, "rule": rule, "n": n,
        "after": after, "follow": follow,
    }  # fmt: skip
    return get("signals", query, timeout=_patience(follow))


def signal(signal_id: str) -> Call[SignalChain]:
    """One signal with all that followed from it: verdict, order, fills, how it ended."""
    return get(f"signals/{segment(signal_id, 'signal')}")


def performance(deployment_id: str) -> Call[PerformanceView]:
    """What a deployment has earned, by the fills in the journal."""
    return get(f"deployments/{segment(deployment_id)}/performance")


def equity(deployment_id: str, *, n: int | None = None) -> Call[EquityView]:
    """The profit of a deployment after each fill, in at most ``n`` points."""
    return get(f"deployments/{segment(deployment_id)}/equity", {"n": n})


def incidents(deployment_id: str) -> Call[list[Death]]:
    """The deaths of a deployment, the newest first, with cause, stack and last lines."""
    return get(f"deployments/{segment(deployment_id)}/incidents")


def metrics(deployment_id: str) -> Call[MetricsView]:
    """What the process of a deployment takes, how far it is behind, and what was counted."""
    return get(f"deployments/{segment(deployment_id)}/metrics")


def _patience(follow: bool | None) -> float | None:
    return None if follow else READ_TIMEOUT
