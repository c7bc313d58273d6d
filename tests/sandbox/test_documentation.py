"""docs/sandbox.md against the code: the tests it names exist, the layers and settings are all there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.confine.survey import NEEDED
from supervisor.config.sections import LAYERS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "sandbox.md").read_text("utf-8")
NAMED = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))


def rows(heading: str) -> dict[str, list[str]]:
    """The table below a heading: cells of each row by the first of them."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


def test_every_layer_has_its_row_and_a_test_that_shows_it():
    table = rows("Layer by layer")
    assert tuple(table) == LAYERS
    assert [
        name for name, (_, _, shown) in table.items() if "test_" not in shown and shown != "the same"
    ] == []


def test_every_test_that_is_named_exists():
    assert NAMED
    source = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in NAMED if f"def {name}(" not in source] == []


@pytest.mark.parametrize("setting", NEEDED)
def test_what_a_stranger_needs_is_said_as_it_is_judged(setting):
    assert rows("Three settings")[setting][-1] == ", ".join(NEEDED[setting])
