"""Whether the daemon can do its work now: each thing that it leans on, with a sentence. Pure.

``needed`` is that without which nothing can be started or traded: then the daemon is not ready, and whoever
balances or deploys sends its work elsewhere. A mirror that lags, a feed that is silent at night and a route
that is tried again are told of and make nobody unready: restarting for those would help nobody.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from supervisor.quota import mib
from supervisor.schema import FeedView, MirrorView
from supervisor.schema.ops import Readiness, ReadinessCheck


class Found(Struct, frozen=True, kw_only=True):
    """What was found. ``engine`` and ``cells``: they are up. ``database`` why it cannot be written, or ""."""

    engine: bool
    cells: bool
    database: str
    disk_free: int | None
    disk_reserve: int
    mirror: MirrorView
    feeds: Iterable[FeedView]
    routes: dict[str, str]
    """By name, what is wrong with it or ""."""
    closed: str
    """Why nothing is started now, or ""."""


def judge(found: Found) -> Readiness:
    """Return what ``found`` comes to."""
    checks = [
        _needed("engine", ok=found.engine, good="it answers", bad="there is none; it is being started"),
        _needed("cells", ok=found.cells, good="new ones can be born", bad="the zygote is being started"),
        _needed("database", ok=not found.database, good="it is written", bad=found.database),
        _disk(found.disk_free, found.disk_reserve),
        _needed("starts", ok=not found.closed, good="they are taken", bad=found.closed),
        _redis(found.mirror),
        *(_feed(feed) for feed in found.feeds),
        *(
            ReadinessCheck(name=f"route {name}", ok=not why, needed=False, detail=why or "it is open")
            for name, why in sorted(found.routes.items())
        ),
    ]
    return Readiness(ready=all(check.ok for check in checks if check.needed), checks=checks)


def _needed(name: str, *, ok: bool, good: str, bad: str) -> ReadinessCheck:
    return ReadinessCheck(name=name, ok=ok, needed=True, detail=good if ok else bad)


def _disk(free: int | None, reserve: int) -> ReadinessCheck:
    if free is None:
        return _needed("disk", ok=True, good="how much is free cannot be read", bad="")
    told = f"{mib(free)} free, {mib(reserve)} stay free (limits.disk_reserve)"
    return _needed("disk", ok=free >= reserve, good=told, bad=told)


def _redis(mirror: MirrorView) -> ReadinessCheck:
    detail = mirror.detail or {"off": "no mirror is configured"}.get(
        mirror.state, f"the mirror is {mirror.state}"
    )
    if mirror.lag:
        detail += f", {mirror.lag:,} records behind"
    return ReadinessCheck(name="redis", ok=mirror.state in ("off", "ok"), needed=False, detail=detail)


def _feed(feed: FeedView) -> ReadinessCheck:
    late = "" if feed.lag_ms is None else f", {feed.lag_ms:g} ms behind"
    return ReadinessCheck(
        name=f"feed {feed.name}",
        ok=feed.state == "healthy",
        needed=False,
        detail=f"it is {feed.state}{late}",
    )
