"""New settings over those in force: what a reload takes, and what waits for a restart. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from supervisor.config.reloading import RELOADED
from supervisor.config.sections import Section
from supervisor.config.settings import Settings


class Merged(NamedTuple):
    """The settings to go on with, and by dotted name what ``changed``, and what ``waits`` for a restart."""

    settings: Settings
    changed: list[str]
    waits: list[str]


class _Taken(NamedTuple):
    """What is taken of one section, and the dotted names of both kinds."""

    value: Any
    changed: list[str]
    waits: list[str]


def merge(now: Settings, fresh: Settings) -> Merged:
    """Take from ``fresh`` what can change while everything runs. A table that comes or goes is one name."""
    update: dict[str, Any] = {}
    changed: list[str] = []
    waits: list[str] = []
    for name in Settings.model_fields:
        ours, theirs = getattr(now, name), getattr(fresh, name)
        if ours == theirs:
            continue
        if isinstance(ours, Section):
            taken = _section(name, ours, theirs)
        elif isinstance(ours, dict):
            taken = _tables(name, ours, theirs, lambda table: _fits(table, now))
        else:
            taken = _Taken(ours, [], [name])
        update[name] = taken.value
        changed += taken.changed
        waits += taken.waits
    origins = _of_both(now.origins, fresh.origins, waits)
    return Merged(now.replaced(update, origins), changed, waits)


def _section(name: str, ours: Section, theirs: Section) -> _Taken:
    differ = _differing(ours, theirs)
    live = [key for key in differ if key in RELOADED.get(name, ())]
    return _Taken(
        ours.model_copy(update={key: getattr(theirs, key) for key in live}),
        [f"{name}.{key}" for key in live],
        [f"{name}.{key}" for key in differ if key not in live],
    )


def _tables(
    section: str, ours: Mapping[str, Section], theirs: Mapping[str, Section], fits: Callable[[Section], bool]
) -> _Taken:
    """One decision for a whole table: its names belong together."""
    live = section in RELOADED
    value: dict[str, Section] = {}
    changed: list[str] = []
    waits: list[str] = []
    for name in dict.fromkeys([*theirs, *ours]):
        before, after = ours.get(name), theirs.get(name)
        takes = live and (after is None or fits(after))
        if kept := after if takes else before:
            value[name] = kept
        if before is None or after is None:
            told = [f"{section}.{name}"]
        else:
            told = [f"{section}.{name}.{key}" for key in _differing(before, after)]
        (changed if takes else waits).extend(told)
    return _Taken(value, changed, waits)


def _fits(table: Section, now: Settings) -> bool:
    # A route comes with a restart only, and an account must not name one that there is not.
    route = getattr(table, "route", "")
    return not route or route in now.routes


def _differing(ours: Section, theirs: Section) -> list[str]:
    return [key for key in type(ours).model_fields if getattr(ours, key) != getattr(theirs, key)]


def _of_both(now: Mapping[str, str], fresh: Mapping[str, str], waits: list[str]) -> dict[str, str]:
    """Return where each value in force was said: what waits was said where it was before."""

    def waiting(name: str) -> bool:
        return any(name == one or name.startswith(f"{one}.") for one in waits)

    kept = {name: place for name, place in now.items() if waiting(name)}
    return kept | {name: place for name, place in fresh.items() if not waiting(name)}
