"""Copies of code by their hash: that they are what was hashed, and when they are made, kept and removed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from strategies import plugins
from strategies.plugins import Broken, Found
from supervisor.catalogue import Catalogue
from supervisor.code_store import CHANGED, CodeStore, Kept


@pytest.fixture
def store(tmp_path: Path) -> CodeStore:
    return CodeStore(tmp_path / "code")


def write(folder: Path, code: str = "one", version: str = "1.0.0") -> Found:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"name": "mine", "version": version}))
    (folder / "strategy.py").write_text(code)
    found = plugins.inspect(folder)
    assert isinstance(found, Found)
    return found


def kept(store: CodeStore, found: Found) -> Kept:
    answer = store.keep(found)
    assert isinstance(answer, Kept), answer
    return answer


def test_a_copy_stays_as_it_is_whatever_becomes_of_the_original(store: CodeStore, tmp_path: Path):
    found = write(tmp_path / "mine")
    copy = kept(store, found)
    assert copy == Kept(found, str(tmp_path / "code" / found.code_hash / "mine"))
    (tmp_path / "mine" / "strategy.py").write_text("two")
    assert (Path(copy.path) / "strategy.py").read_text() == "one"


def test_a_single_file_is_copied_under_its_name(store: CodeStore, tmp_path: Path):
    (tmp_path / "breakout.py").write_text("pass")
    found = plugins.inspect(tmp_path / "breakout.py")
    assert isinstance(found, Found)
    copy = kept(store, found)
    assert (copy.found, Path(copy.path).read_text()) == (found, "pass")
    assert copy.path.endswith(f"/{found.code_hash}/breakout.py")


def test_what_was_edited_while_it_was_looked_at_is_broken_and_nothing_is_left_of_it(store, tmp_path):
    found = write(tmp_path / "mine")
    (tmp_path / "mine" / "strategy.py").write_text("two")
    broken = store.keep(found)
    assert isinstance(broken, Broken)
    assert [str(error) for error in broken.errors] == [CHANGED]
    assert list((tmp_path / "code").iterdir()) == []


def test_a_description_that_is_another_s_is_not_taken_for_that_of_the_copy(store: CodeStore, tmp_path: Path):
    """Read before the files were hashed, and edited in between."""
    old = write(tmp_path / "mine", version="1.0.0")
    new = write(tmp_path / "mine", version="2.0.0")
    mixed = Found(**{**{f: getattr(old, f) for f in old.__struct_fields__}, "code_hash": new.code_hash})
    assert isinstance(store.keep(mixed), Broken)
    assert isinstance(store.keep(new), Kept)


@pytest.mark.parametrize("damage", ["cut", "gone", "more"])
def test_a_copy_that_is_not_what_it_is_called_is_made_again(store: CodeStore, tmp_path: Path, damage: str):
    found = write(tmp_path / "mine")
    inside = Path(kept(store, found).path)
    (inside / "strategy.py").chmod(0o600)
    match damage:
        case "cut":
            (inside / "strategy.py").write_text("")
        case "gone":
            (inside / "config.json").unlink()
        case "more":
            (inside / "pricing.py").touch()
    again = kept(CodeStore(tmp_path / "code"), found)  # as the next daemon finds it
    assert sorted(path.name for path in Path(again.path).iterdir()) == ["config.json", "strategy.py"]
    assert (inside / "strategy.py").read_text() == "one"


def test_what_cannot_be_copied_is_broken_and_says_why(tmp_path: Path):
    (tmp_path / "code").touch()
    broken = CodeStore(tmp_path / "code").keep(write(tmp_path / "mine"))
    assert isinstance(broken, Broken)
    assert [str(error) for error in broken.errors] == ["cannot be copied: File exists"]


def test_only_what_is_wanted_stays_and_what_a_crash_left_goes(store: CodeStore, tmp_path: Path):
    first, second = write(tmp_path / "mine", "one"), None
    kept(store, first)
    second = write(tmp_path / "mine", "two")
    kept(store, second)
    (tmp_path / "code" / ".new-abc").mkdir()
    assert store.tidy({second.code_hash}) == sorted([".new-abc", first.code_hash])
    assert [path.name for path in (tmp_path / "code").iterdir()] == [second.code_hash]
    write(tmp_path / "mine", "one")
    assert Path(kept(store, first).path).is_dir()
    assert CodeStore(tmp_path / "nowhere").tidy(set()) == []


def test_the_catalogue_gives_the_copy_beside_the_path_that_is_trusted(store: CodeStore, tmp_path: Path):
    found = write(tmp_path / "mine")
    catalogue = Catalogue([tmp_path / "mine"], store)
    built_in = ["external_signals@1.0.0", "moving_average_crossover@1.0.0"]
    assert sorted(["mine@1.0.0", *built_in]) == catalogue.scan([]).added
    entry = catalogue.find("mine")
    assert (entry.code_path, entry.code_hash) == (found.path, found.code_hash)
    assert entry.stored == kept(store, found).path
    assert catalogue.find("moving_average_crossover").stored == ""


def test_the_copies_of_two_scans_and_of_what_lives_stay(store: CodeStore, tmp_path: Path):
    def copies() -> set[str]:
        return {path.name for path in (tmp_path / "code").iterdir()}

    first = write(tmp_path / "mine", "one")
    catalogue = Catalogue([tmp_path / "mine"], store)
    catalogue.scan([])
    second = write(tmp_path / "mine", "two")
    assert catalogue.scan([]).changed == ["mine@1.0.0"]
    assert copies() == {first.code_hash, second.code_hash}  # a cell may be about to be born of the first
    catalogue.scan([], {first.code_hash})
    assert copies() == {first.code_hash, second.code_hash}
    catalogue.scan([])
    assert copies() == {second.code_hash}


def test_what_cannot_be_copied_is_told_as_broken_by_the_scan(tmp_path: Path):
    (tmp_path / "code").touch()
    write(tmp_path / "mine")
    catalogue = Catalogue([tmp_path / "mine"], CodeStore(tmp_path / "code"))
    assert catalogue.scan([]).broken == {str(tmp_path / "mine"): ["cannot be copied: File exists"]}
    assert catalogue.code("mine", "1.0.0") is None
