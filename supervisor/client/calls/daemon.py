"""The daemon itself: how it is, its feeds and host, and what is done to all of it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supervisor.client.call import Call, get, send

if TYPE_CHECKING:
    from supervisor.schema import FeedView, Health, Status
    from supervisor.schema.ops import ConfigView, ReloadResult, SystemResult, SystemView, VersionView


def health() -> Call[Health]:
    """Whether the daemon lives, and its version; needs no key."""
    return get("/health")


def status() -> Call[Status]:
    """The daemon: uptime, processes, feeds, counts, what bars accounts, layers of the sandbox, problems."""
    return get("status")


def feeds() -> Call[list[FeedView]]:
    """Every configured feed: health, lag, gaps, late, rejected by reason."""
    return get("feeds")


def version() -> Call[VersionView]:
    """What runs, and since when."""
    return get("version")


def system() -> Call[SystemView]:
    """The host, the limits, the daemon's own processes, and every instance as it was sampled last."""
    return get("system")


def config() -> Call[ConfigView]:
    """The settings that the daemon goes by, with where each was said; secrets are stars."""
    return get("config")


def pause_all(*, reason: str = "") -> Call[SystemResult]:
    """Pause every deployment that is up."""
    return send("POST", "system/pause-all", {"reason": reason})


def resume_all(*, reason: str = "") -> Call[SystemResult]:
    """Resume every paused deployment; after a drain, bring back what it ended."""
    return send("POST", "system/resume-all", {"reason": reason})


def drain(*, reason: str = "") -> Call[SystemResult]:
    """Start nothing from now on and end what is up, in order; the daemon goes on living."""
    return send("POST", "system/drain", {"reason": reason})


def reload() -> Call[ReloadResult]:
    """Read the settings and the strategy folders again: all of what is new, or nothing."""
    return send("POST", "system/reload", {})
