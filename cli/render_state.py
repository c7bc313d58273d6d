"""Saved states as tables and trees, for people and for programs. Pure; takes views, and states unpacked.

The values are a stranger's: text is shown without control characters, and whatever is long is cut.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from cli.tables import Column, Sheet, clean, columns, fields
from cli.words import NOTHING, instant, span
from supervisor.schema import CheckpointView

INDENT: Final = "  "
MOST_LINES: Final = 2000
"""Lines of one tree; ``--json`` has everything."""
MOST_ITEMS: Final = 50
"""Items of one list that are shown."""
LONGEST: Final = 60
"""Characters of one value that are shown."""


# ---- what is kept ---------------------------------------------------------------------------------
def checkpoints(kept: Sequence[CheckpointView]) -> Sheet:
    """One row a checkpoint; NEXT is what the next start takes."""
    return Sheet(
        columns(
            Column("SEQ", right=True),
            "STATE",
            Column("AGE", right=True),
            Column("BYTES", 2, right=True),
            Column("VERSION", 3, right=True),
            Column("GENERATION", 4, right=True),
            Column("TAKEN", 5),
            Column("WHY", 1, flexible=True),
        ),
        tuple(
            (
                str(one.seq),
                "quarantined" if one.quarantined else "next" if one.newest else "good",
                span(one.age_s),
                f"{one.size_bytes:,}",
                str(one.state_version),
                str(one.generation),
                instant(one.at),
                clean(one.why) or NOTHING,
            )
            for one in kept
        ),
        "no checkpoints",
    )


def checkpoint(one: CheckpointView) -> str:
    """Return the lines above what is in a state."""
    newest = ", what the next start takes" if one.newest else ""
    return fields(
        [
            ("checkpoint", f"{one.seq}{newest}"),
            ("taken", f"{instant(one.at)} ({span(one.age_s)} ago), by generation {one.generation}"),
            ("size", f"{one.size_bytes:,} bytes, state version {one.state_version}"),
            ("paused", "yes" if one.paused else ""),
            ("set aside", clean(one.why)),
        ]
    )


# ---- what is in one -------------------------------------------------------------------------------
def tree(state: dict[Any, Any]) -> list[str]:
    """Return one line for each part: its name, its type and size, and what fits of its value."""
    lines: list[str] = []
    for line in _parts(state, 0):
        if len(lines) == MOST_LINES:
            lines.append(f"... (the first {MOST_LINES} lines; --json has everything)")
            break
        lines.append(line)
    return lines


def _parts(value: Any, depth: int) -> Iterator[str]:
    keyed = isinstance(value, dict)
    for at, (name, part) in enumerate(value.items() if keyed else enumerate(value)):
        if not keyed and at == MOST_ITEMS:
            yield f"{INDENT * depth}... {len(value) - at} more"
            return
        label = _cut(str(name)) if keyed else f"[{name}]"
        yield f"{INDENT * depth}{label}: {_said(part)}"
        if isinstance(part, dict | list | tuple) and not _flat(part):
            yield from _parts(part, depth + 1)


def _flat(part: Any) -> bool:
    """Whether its own line says everything: a short list of plain values."""
    return not part or (
        isinstance(part, list | tuple)
        and len(part) <= LONGEST
        and all(isinstance(one, bool | int | float | str | None) for one in part)
        and len(repr(part)) <= LONGEST
    )


def _said(part: Any) -> str:
    kind = type(part).__name__
    if isinstance(part, dict):
        return f"dict, {_count(len(part), 'key')}"
    if isinstance(part, list | tuple):
        size = f"{kind}, {_count(len(part), 'item')}"
        return f"{size}  {_cut(repr(part))}" if part and _flat(part) else size
    if hasattr(part, "dtype"):
        shape = " x ".join(map(str, part.shape)) or "no dimension"
        first = ", ".join(_cut(str(one)) for one in part.ravel()[:6].tolist())
        more = ", ..." if part.size > 6 else ""
        return f"array of {_cut(str(part.dtype))}, {shape}, {part.nbytes:,} bytes  [{first}{more}]"
    if isinstance(part, bytes):
        return f"bytes, {len(part):,}  {_cut(repr(part[:LONGEST]))}"
    if isinstance(part, str):
        return f"str, {len(part):,}  {_cut(repr(part[: LONGEST + 2]))}"
    return f"{kind}  {_cut(str(part))}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _cut(text: str) -> str:
    text = clean(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


# ---- for programs ---------------------------------------------------------------------------------
def plain(value: Any) -> Any:
    """Return ``value`` as JSON can say it; what JSON has no word for is ``{"$type": ..., "value": ...}``."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _typed("float", str(value))
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, tuple):
        return _typed("tuple", [plain(one) for one in value])
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value) and "$type" not in value:
            return {key: plain(one) for key, one in value.items()}
        return _typed("dict", [[plain(key), plain(one)] for key, one in value.items()])
    if isinstance(value, bytes):
        return _typed("bytes", value.hex())
    if hasattr(value, "dtype"):
        return {
            **_typed("array", plain(value.tolist()) if value.dtype.kind in "biufSU" else str(value.tolist())),
            "dtype": str(value.dtype),
            "shape": list(value.shape),
        }
    if isinstance(value, datetime | date):
        return _typed(type(value).__name__, value.isoformat())
    if isinstance(value, timedelta):
        return _typed("timedelta", value.total_seconds())
    return _typed(type(value).__name__, str(value) if isinstance(value, Decimal) else repr(value))


def _typed(kind: str, value: Any) -> dict[str, Any]:
    return {"$type": kind, "value": value}
