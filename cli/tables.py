"""Tables: what a person reads on a terminal, and plain columns where nobody looks. Pure but for ``show``.

On a terminal, columns that do not fit are left out, the least important first, and one text column is cut;
nothing wraps. Elsewhere (a pipe, a file) every column is there in full, without colour.
"""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import JustifyMethod

STATE_STYLES = {
    "running": "green", "healthy": "green", "ok": "green", "active": "green", "accepted": "green",
    "starting": "cyan", "warming": "cyan", "registered": "cyan", "modified": "cyan", "available": "cyan",
    "paused": "yellow", "stopping": "yellow", "backoff": "yellow", "stale": "yellow", "lagging": "yellow",
    "degraded": "yellow", "gap": "yellow", "expired": "yellow",
    "failed": "red", "broken": "red", "down": "red", "disconnected": "red", "missing": "red",
    "rejected": "red", "quarantined": "bold red",
    "stopped": "dim", "duplicate": "dim", "off": "dim",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column: ``rank`` 0 is never left out, higher goes earlier; ``flexible`` may be cut to fit.

    ``wraps`` is for sentences: on a terminal they go on below themselves.
    """

    title: str
    rank: int = 0
    right: bool = False
    flexible: bool = False
    wraps: bool = False


@dataclass(frozen=True)
class Sheet:
    """Columns, and rows of as many texts."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str = "none"
    """What is said instead of a table without rows."""


GAP = 2
FLEXIBLE_LEAST = 12
"""Characters that are left of a flexible column before whole columns go."""


def widths(sheet: Sheet) -> list[int]:
    """Return the width of the widest text of each column."""
    return [
        max(len(column.title), *(len(row[index]) for row in sheet.rows), 0)
        for index, column in enumerate(sheet.columns)
    ]


def fit(sheet: Sheet, width: int) -> Sheet:
    """Return ``sheet`` cut to ``width`` characters: columns left out by rank, then the flexible ones cut."""
    keep = list(range(len(sheet.columns)))
    wide = widths(sheet)

    def needed() -> int:
        flexible = {index for index in keep if sheet.columns[index].flexible or sheet.columns[index].wraps}
        least = [min(wide[index], FLEXIBLE_LEAST) if index in flexible else wide[index] for index in keep]
        return sum(least) + GAP * (len(keep) - 1)

    while needed() > width and any(sheet.columns[index].rank for index in keep):
        keep.remove(max(keep, key=lambda index: (sheet.columns[index].rank, index)))
    over = sum(wide[index] for index in keep) + GAP * (len(keep) - 1) - width
    limits = {}
    for index in sorted(keep, key=lambda index: -wide[index]):
        if over > 0 and sheet.columns[index].flexible:
            limits[index] = max(wide[index] - over, min(wide[index], FLEXIBLE_LEAST))
            over -= wide[index] - limits[index]
    return Sheet(
        tuple(sheet.columns[index] for index in keep),
        tuple(tuple(cut(row[index], limits.get(index)) for index in keep) for row in sheet.rows),
        sheet.empty,
    )


def cut(text: str, limit: int | None) -> str:
    """Return ``text``, at most ``limit`` characters of it, the last one an ellipsis if it was cut."""
    return text if limit is None or len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def hanging(head: str, text: str, width: int | None) -> str:
    """Return ``head`` and ``text`` behind it; what does not fit into ``width`` goes on below the text."""
    if width is None or len(head) + len(text) <= width:
        return (head + text).rstrip()
    if len(head) > width * 2 // 3:  # too little room behind it: below it, indented
        return "\n".join(
            [head.rstrip(), *textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ")]
        )
    return head + f"\n{' ' * len(head)}".join(textwrap.wrap(text, width - len(head)))


def plain(sheet: Sheet) -> str:
    """Return ``sheet`` as lines of aligned columns."""
    wide = widths(sheet)
    lines = []
    for row in (tuple(column.title for column in sheet.columns), *sheet.rows):
        cells = (
            text.rjust(size) if column.right else text.ljust(size)
            for text, size, column in zip(row, wide, sheet.columns, strict=True)
        )
        lines.append((" " * GAP).join(cells).rstrip())
    return "\n".join(lines)


def clean(text: str) -> str:
    """Return ``text`` without control characters: what a strategy writes must not drive the terminal."""
    return "".join(
        char if char == "\t" or char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def rich_table(sheet: Sheet, width: int) -> Any:
    """Return ``sheet`` cut to ``width`` as a rich Table, states in their colours."""
    from rich.table import Table
    from rich.text import Text

    fitted = fit(sheet, width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for column in fitted.columns:
        justify: JustifyMethod = "right" if column.right else "left"
        table.add_column(Text(column.title), justify=justify, no_wrap=not column.wraps, overflow="fold")
    for row in fitted.rows:
        table.add_row(*(Text(cell, style=STATE_STYLES.get(cell, "")) for cell in row))
    return table


def on_terminal() -> bool:
    """Whether somebody looks: stdout is a terminal that can do more than print (TERM is not dumb)."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def terminal_width() -> int | None:
    """Return how many characters a line of the terminal has, None where nobody looks."""
    return shutil.get_terminal_size().columns if on_terminal() else None


def show(sheet: Sheet) -> None:
    """Print ``sheet`` for whoever is at the other end of stdout."""
    if not sheet.rows:
        print(sheet.empty)
    elif on_terminal():
        from rich.console import Console

        console = Console(markup=False, highlight=False, emoji=False)
        console.print(rich_table(sheet, console.width))
    else:
        print(plain(sheet))


def columns(*titles: Column | str) -> tuple[Column, ...]:
    """Return columns; a bare title is a plain one that is never left out."""
    return tuple(Column(title) if isinstance(title, str) else title for title in titles)


def fields(pairs: Sequence[tuple[str, str]]) -> str:
    """Return names and values, one pair a line, values aligned; an empty value is left out."""
    given = [(name, value) for name, value in pairs if value]
    width = max((len(name) for name, _ in given), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in given)
