"""What a reload did, in lines. Pure, over plain JSON: the views take longer to make than the verb takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """Say what changed, what needs a restart, what could not be taken, and which strategies are new."""
    changed = result["changed"]
    yield f"changed: {', '.join(changed)}" if changed else "no setting changed"
    if result["needs_restart"]:
        yield f"stays as it was until the daemon restarts: {', '.join(result['needs_restart'])}"
    yield from (f"problem: {line}" for line in result["problems"])
    found = result["strategies"]
    for kind in ("added", "changed", "removed"):
        yield from (f"strategy {kind}: {reference}" for reference in found[kind])
    for path, errors in found["broken"].items():
        yield f"strategy broken: {path}: {'; '.join(errors)}"
