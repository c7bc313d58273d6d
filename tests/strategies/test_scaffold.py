"""``stratd new``: what it writes is found, starts, and passes its own test under plain pytest."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strategies.errors import StrategyError
from strategies.plugins import Found, inspect
from strategies.scaffold import class_name, create
from strategies.testing import Bench


@pytest.mark.parametrize("name", ["my_strategy", "mean-reversion.2", "9lives"])
def test_a_new_strategy_is_sound_and_its_test_passes_under_plain_pytest(tmp_path, name):
    files = create(tmp_path, name)
    assert [file.name for file in files] == ["config.json", "strategy.py", "test_strategy.py"]
    found = inspect(tmp_path / name)
    assert isinstance(found, Found)
    assert (found.reference, found.schema.effective({})) == (f"{name}@0.1.0", {"lookback": 20})
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path / name)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_the_strategy_is_short_and_says_nothing_twice(tmp_path):
    create(tmp_path, "short")
    lines = (tmp_path / "short" / "strategy.py").read_text().splitlines()
    assert len(lines) == 12
    assert max(map(len, lines)) <= 110


def test_it_starts(tmp_path):
    create(tmp_path, "x")
    assert Bench.of(tmp_path / "x").candles("1m", [1.0] * 30)


def test_nothing_is_overwritten(tmp_path):
    create(tmp_path, "x")
    (tmp_path / "x" / "strategy.py").write_text("mine")
    with pytest.raises(StrategyError, match="x exists already: choose another name, or remove it"):
        create(tmp_path, "x")
    assert (tmp_path / "x" / "strategy.py").read_text() == "mine"


@pytest.mark.parametrize("name", ["", "../x", "a/b", "-x", "a b", "x" * 65])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    with pytest.raises(StrategyError, match="is no name for a strategy"):
        create(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StrategyError, match=r"file.* cannot be written: Not a directory"):
        create(tmp_path / "file", "x")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("my_strategy", "MyStrategy"), ("mean-reversion.2", "MeanReversion2"), ("9l", "Strategy9l")],
)
def test_the_class_is_named_after_the_folder(name, expected):
    assert class_name(name) == expected
