"""What reading a recording can run into: a file not understood, and rows that are refused and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

Cell: TypeAlias = str | int | float | None
"""One cell as its file holds it: text from CSV, values from Parquet and JSON."""

MAX_EXAMPLE = 120
"""Characters of a refused row that are kept as its example."""


class RecordingError(ValueError):
    """A file cannot be read as what it was taken for. One line: file, line, and what was expected."""

    def __init__(self, path: Path, what: str, *, line: int | None = None) -> None:
        where = str(path) if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {what}")


class RowRefused(Exception):
    """One row is not a message: an outcome that is counted under ``reason``, not an error anybody sees."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail


class Tally:
    """Rows refused so far, by reason, with the first example of each; shared by the files of a replay."""

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def refuse(self, path: Path, line: int, refused: RowRefused, cells: Sequence[Cell]) -> None:
        """Count one row; ``line`` counts from 1 and includes a header."""
        self.refused[refused.reason] += 1
        if refused.reason not in self.examples:
            row = ",".join("" if cell is None else str(cell) for cell in cells)
            detail = f" ({refused.detail})" if refused.detail else ""
            self.examples[refused.reason] = f"{path.name}:{line}: {row[:MAX_EXAMPLE]!r}{detail}"
