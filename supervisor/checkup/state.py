"""What wrote the state directory, and whether this version can go on with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from supervisor.schema import LayerView
from supervisor.store import formats
from supervisor.store.formats import FORMATS, FormatsError


def look(state_dir: Path, version: str) -> LayerView:
    """Say which formats ``state_dir`` is in, by its own word; ``version`` is this program's."""
    name = "state formats"
    if not state_dir.is_dir():
        return LayerView(name=name, state="off", detail=f"{state_dir}: nothing there yet")
    try:
        found = formats.check(state_dir, version)
    except (FormatsError, PermissionError) as error:
        return LayerView(name=name, state="missing", detail=str(error), command="stratd storage show")
    if found is None:
        then = "migrated at the next start" if (state_dir / "stratd.db").exists() else "nothing there yet"
        return LayerView(name=name, state="active", detail=f"no {formats.NAME} in {state_dir}: {then}")
    older = sum(number < FORMATS[store] for store, number in found.formats.items())
    behind = "; migrated at the next start" if older else ""
    return LayerView(
        name=name, state="active", detail=f"{told(found.formats)} by stratd {found.written_by}{behind}"
    )


def told(numbers: Mapping[str, int]) -> str:
    """Return the numbers of the stores as one line."""
    return ", ".join(f"{store} {number}" for store, number in sorted(numbers.items()))
