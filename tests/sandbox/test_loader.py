from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import loader


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    before = set(sys.modules)
    yield
    loader.forget()
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_a_file_is_loaded_under_a_private_name_and_not_through_the_path(tmp_path: Path):
    (tmp_path / "os.py").write_text("ANSWER = 42\n")
    before = list(sys.path)
    module = loader.load(str(tmp_path / "os.py"))
    assert (module.__name__, module.ANSWER, module.__file__) == (
        "_user_strategy.os",
        42,
        str(tmp_path / "os.py"),
    )
    assert sys.path == before
    assert sys.modules["os"] is not module


def test_siblings_are_found_relatively_and_by_name_but_never_before_the_library(tmp_path: Path):
    (tmp_path / "strategy.py").write_text("import json, helper_x\nfrom . import helper_x as same\n")
    (tmp_path / "helper_x.py").write_text("VALUE = 7\n")
    (tmp_path / "json.py").write_text("raise RuntimeError\n")
    module = loader.load(str(tmp_path))
    assert (module.helper_x.VALUE, module.same.VALUE, hasattr(module.json, "dumps")) == (7, 7, True)


def test_a_package_beside_the_strategy_is_found(tmp_path: Path):
    (tmp_path / "strategy.py").write_text("from lib_x.prices import LAST\n")
    (tmp_path / "lib_x").mkdir()
    (tmp_path / "lib_x" / "__init__.py").write_text("")
    (tmp_path / "lib_x" / "prices.py").write_text("LAST = 3\n")
    assert loader.load(str(tmp_path)).LAST == 3


@pytest.mark.parametrize("name", ["nothing", "nothing.py"])
def test_a_missing_strategy_is_named(tmp_path: Path, name):
    with pytest.raises(loader.LoadError, match=f"{name}.*: no such file; a strategy is a folder"):
        loader.load(str(tmp_path / name))


def test_a_folder_without_a_strategy_is_named(tmp_path: Path):
    with pytest.raises(loader.LoadError, match=r"strategy\.py: no such file"):
        loader.load(str(tmp_path))


def test_a_syntax_error_names_file_line_and_text(tmp_path: Path):
    (tmp_path / "strategy.py").write_text("x = 1\nif x\n")
    with pytest.raises(loader.LoadError, match=r"strategy\.py:2: expected ':': if x"):
        loader.load(str(tmp_path))


def test_a_file_that_is_no_text_is_told_without_a_line(tmp_path: Path):
    (tmp_path / "strategy.py").write_bytes(b"x = 1\n\0\0")
    with pytest.raises(loader.LoadError, match=r"strategy\.py: source code .*null bytes$"):
        loader.load(str(tmp_path))


def test_what_the_code_raises_passes_through(tmp_path: Path):
    (tmp_path / "strategy.py").write_text("raise KeyError('mine')\n")
    with pytest.raises(KeyError, match="mine"):
        loader.load(str(tmp_path))


def test_a_second_strategy_takes_the_place_of_the_first(tmp_path: Path):
    for name, value in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "strategy.py").write_text("from . import part\n")
        (tmp_path / name / "part.py").write_text(f"VALUE = {value}\n")
    assert loader.load(str(tmp_path / "a")).part.VALUE == 1
    assert loader.load(str(tmp_path / "b")).part.VALUE == 2
    assert len([f for f in sys.meta_path if type(f).__name__ == "_Siblings"]) == 1
