"""The daemon itself, and its feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import Call, get

if TYPE_CHECKING:
    from supervisor.schema import FeedView, Health, Status


def health() -> Call[Health]:
    """Whether the daemon lives, and its version; needs no key."""
    return get("/health")


def status() -> Call[Status]:
    """The daemon: uptime, processes, feeds, counts, what bars accounts, layers of the sandbox, problems."""
    return get("status")


def feeds() -> Call[list[FeedView]]:
    """Every configured feed: health, lag, gaps, late, rejected by reason."""
    return get("feeds")
