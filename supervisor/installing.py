"""The store of packages as the settings have it: what any deployment runs with is kept."""

from __future__ import annotations

from collections.abc import Mapping

from supervisor.actor import Actor
from supervisor.config import Settings
from supervisor.packages.store import PackageStore, find_uv


def package_store(settings: Settings, actors: Mapping[str, Actor]) -> PackageStore:
    """Return the store in the state directory; nothing of ``actors``, as they are then, is ever dropped."""
    wanted = settings.packages
    return PackageStore(
        settings.state_dir / "packages",
        wanted.source(),
        wanted.bounds(),
        uv=find_uv(),
        kept=lambda: set().union(*(actor.packages for actor in actors.values())),
    )
