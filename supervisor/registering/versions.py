"""Which version a name means, from the history of activations. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from supervisor.store.code_versions import Activation


def active(activations: Sequence[Activation], known: Collection[tuple[str, str]]) -> dict[str, str]:
    """Return the active version of each name: the last that was made so, of those that are ``known`` still.

    ``activations`` are those that nobody took back, the oldest first.
    """
    return {one.name: one.version for one in activations if (one.name, one.version) in known}


def undone_by_rollback(
    activations: Sequence[Activation], known: Collection[tuple[str, str]], name: str
) -> list[Activation]:
    """Return what a rollback of ``name`` takes back: all since another version was active, [] if none was.

    So each rollback comes one version further back, and what was activated twice in a row is no step.
    """
    mine = [one for one in activations if one.name == name and (name, one.version) in known]
    if not mine:
        return []
    now = mine[-1].version
    since = next((at for at in range(len(mine) - 1, -1, -1) if mine[at].version != now), None)
    return [] if since is None else mine[since + 1 :]
