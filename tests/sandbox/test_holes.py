from __future__ import annotations

import subprocess
import sys

import pytest

from sandbox import holes

FILLED = """
import gc
import numpy
from sandbox import holes
gc.disable()
before = holes.free_blocks()
kept = holes.fill()
after = holes.free_blocks()
print(sum(size * free for size, free in before.items()), sum(size * free for size, free in after.items()))
"""


def test_free_blocks_are_told_by_size_and_nothing_is_written_for_others_to_see(capfd):
    found = holes.free_blocks()
    assert {16 * step for step in range(1, 33)} == set(found)
    assert min(found.values()) >= 0
    assert ("", "") == capfd.readouterr()


@pytest.mark.system
def test_filling_them_takes_what_was_free_and_little_more():
    told = subprocess.run([sys.executable, "-c", FILLED], capture_output=True, text=True, check=True)
    before, after = map(int, told.stdout.split())
    assert before > 100_000
    assert after < before / 4


def test_an_interpreter_that_says_nothing_of_its_heap_has_no_holes_to_fill(monkeypatch):
    monkeypatch.delattr(sys, "_debugmallocstats")
    assert ({}, []) == (holes.free_blocks(), holes.fill())
