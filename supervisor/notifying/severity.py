"""How grave an event is, by its kind: what targets choose by. Pure; docs/notifications.md has the table.

``critical``: money or the daemon is in danger until a person acts. ``warning``: something broke, and what can
be done without a person is being done. ``info``: the rest, recoveries among them.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from supervisor.store.tables import Event

Severity: TypeAlias = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
"""The least first."""

CRITICAL: Final = frozenset({
    "disk_low", "engine_failed", "engine_hung", "engine_not_started", "exit_failed", "failed",
    "fill_after_end", "fill_refused", "impossible", "internal_error", "journal_quarantined", "latched",
    "not_recovered", "order_abandoned", "order_lost", "order_not_routed", "order_unanswered", "quarantined",
    "route_down", "state_lost", "stuck", "tape_quarantined",
})  # fmt: skip
WARNING: Final = frozenset({
    "approval_waiting", "checkpoint_refused", "clearance_denied", "clearance_unreachable", "died",
    "engine_died", "events_lost", "feed_conflict", "feed_disconnected", "feed_failed",
    "feed_recovery_failed", "feed_stale", "flood", "mirror_down", "not_saved", "peer_refused", "problem",
    "reload_refused", "replay_refused", "report_fenced", "report_refused", "signal_flood", "signals_failed",
    "state_quarantined", "state_refused", "strategy_broken", "tape_renumbered", "tape_too_short",
    "target_down", "zygote_died",
})  # fmt: skip
MEANT: Final = frozenset({"operator", "shutdown"})
"""Causes of a death that somebody asked for."""


def severity_of(event: Event) -> Severity:
    """Return how grave ``event`` is. A death says its cause first, and one that was meant is no trouble."""
    if event.kind == "died" and event.detail.partition(":")[0] in MEANT:
        return "info"
    if event.kind in CRITICAL:
        return "critical"
    return "warning" if event.kind in WARNING else "info"
