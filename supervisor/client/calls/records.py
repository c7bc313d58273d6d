"""What came, in order: lines of a log, events, signals. To see what comes, ``follow`` of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import READ_TIMEOUT, Call, get, segment

if TYPE_CHECKING:
    from supervisor.schema import EventView, LogLine, SignalView


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
    after: int | None = None,
    n: int | None = None,
    follow: bool | None = None,
) -> Call[list[SignalView]]:
    """Signals with verdict and rule, of one deployment or all: the last ``n``, or those above ``after``."""
    query = {"deployment_id": deployment_id, "n": n, "after": after, "follow": follow}
    return get("signals", query, timeout=_patience(follow))


def _patience(follow: bool | None) -> float | None:
    return None if follow else READ_TIMEOUT
