"""What of a folder counts, that its copy is the same, and what is put in the way of either."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from strategies import content
from strategies.content import MAX_DEPTH, MAX_PROBLEMS, TOO_MUCH, code_hash, copy


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    (folder / "model" / "v1").mkdir(parents=True)
    (folder / "strategy.py").write_text("code")
    (folder / "model" / "v1" / "weights.bin").write_bytes(b"1" * 3_000_000)
    return folder


def hashed(folder: Path) -> str:
    problems: list[Any] = []
    found = code_hash(folder, problems)
    assert problems == []
    return found


def problems_of(folder: Path) -> list[str]:
    problems: list[Any] = []
    code_hash(folder, problems)
    return [str(problem) for problem in problems]


def test_a_copy_has_the_hash_of_what_was_copied_and_is_readable_for_all(folder: Path, tmp_path: Path):
    (folder / "also.py").symlink_to(folder / "strategy.py")
    (folder / "current").symlink_to("model/v1")
    (folder / "model" / "self").symlink_to(folder)
    (folder / "empty").mkdir(mode=0o700)
    (folder / "strategy.py").chmod(0o600)
    before, umask = hashed(folder), os.umask(0o077)
    try:
        copy(folder, tmp_path / "copy")
    finally:
        os.umask(umask)
    made = tmp_path / "copy"
    assert hashed(made) == before
    assert (made / "current" / "weights.bin").read_bytes() == b"1" * 3_000_000
    assert (made / "model" / "self").resolve() == made
    modes = {path.relative_to(made).as_posix(): path.stat().st_mode & 0o777 for path in made.rglob("*")}
    assert {modes["strategy.py"], modes["also.py"], modes["empty"]} == {0o444, 0o755}
    assert not (made / "also.py").is_symlink()


def test_what_does_not_count_is_not_copied(folder: Path, tmp_path: Path):
    before = hashed(folder)
    for name in (".git/config", "__pycache__/strategy.pyc", "model/old.pyc"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert hashed(folder) == before
    copy(folder, tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").rglob("*")) == [
        "model",
        "strategy.py",
        "v1",
        "weights.bin",
    ]


def test_a_link_to_what_does_not_count_is_refused(folder: Path):
    (folder / ".git").mkdir()
    (folder / ".git" / "hook.py").touch()
    (folder / "hook.py").symlink_to(".git/hook.py")
    assert problems_of(folder) == ["hook.py: is a link to what does not count"]


def test_where_a_link_to_a_folder_leads_counts(folder: Path):
    (folder / "model" / "v2").mkdir()
    (folder / "current").symlink_to("model/v1")
    first = hashed(folder)
    (folder / "current").unlink()
    (folder / "current").symlink_to("model/v2")
    assert hashed(folder) != first


def test_a_name_that_is_no_text_counts_too(folder: Path):
    before = hashed(folder)
    os.close(os.open(os.fsencode(folder) + b"/\xff.dat", os.O_CREAT | os.O_WRONLY, 0o600))
    assert hashed(folder) != before


def lie_about(monkeypatch: pytest.MonkeyPatch, name: str, truth: Path) -> None:
    """Have ``name`` looked at as the file it was, a moment before it is opened as what it is now."""
    stat = os.stat

    def before_it_was_swapped(path: Any, **more: Any) -> os.stat_result:
        return stat(truth) if path == name else stat(path, **more)

    monkeypatch.setattr(content.os, "stat", before_it_was_swapped)


def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(folder: Path, monkeypatch):
    os.mkfifo(folder / "data")
    lie_about(monkeypatch, "data", folder / "strategy.py")
    assert problems_of(folder) == ["data: is no regular file"]


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(folder: Path, tmp_path: Path, monkeypatch):
    (tmp_path / "secret").write_text("key")
    (folder / "data").symlink_to(tmp_path / "secret")
    lie_about(monkeypatch, "data", folder / "strategy.py")
    with pytest.raises(OSError, match="symbolic links"):
        copy(folder, tmp_path / "copy")
    assert not (tmp_path / "copy" / "data").exists()


def test_a_folder_on_the_way_of_a_link_that_becomes_a_link_is_not_followed(
    folder: Path, tmp_path, monkeypatch
):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "weights.bin").write_text("key")
    (folder / "data").symlink_to("away/weights.bin")
    (folder / "away").symlink_to(outside)
    seen = os.path.realpath

    def before_it_was_swapped(path: Any) -> str:
        return str(folder / "away" / "weights.bin") if str(path).endswith("data") else seen(path)

    monkeypatch.setattr(content.os.path, "realpath", before_it_was_swapped)
    with pytest.raises(OSError, match=r"Not a directory|symbolic links"):
        copy(folder, tmp_path / "copy")
    assert not (tmp_path / "copy" / "data").exists()


def test_too_many_files_and_too_many_bytes_and_too_deep_folders_are_told(folder: Path, monkeypatch):
    monkeypatch.setattr(content, "MAX_FILES", 3)
    assert problems_of(folder) == [f"model/v1/weights.bin: {TOO_MUCH}"]
    monkeypatch.setattr(content, "MAX_FILES", 100)
    monkeypatch.setattr(content, "MAX_BYTES", 1000)
    assert problems_of(folder) == [f"model/v1/weights.bin: {TOO_MUCH}"]
    monkeypatch.setattr(content, "MAX_BYTES", 10**9)
    deep = folder.joinpath(*["d"] * (MAX_DEPTH + 2))
    deep.mkdir(parents=True)
    assert [one.partition(": ")[2] for one in problems_of(folder)] == [
        f"too deep for a strategy: at most {MAX_DEPTH} folders"
    ]


def test_a_folder_full_of_mistakes_has_no_hash(folder: Path):
    for number in range(MAX_PROBLEMS + 5):
        (folder / f"{number}").symlink_to("/etc/passwd")
    problems: list[Any] = []
    assert code_hash(folder, problems) == ""
    assert len(problems) == MAX_PROBLEMS


def test_no_descriptor_is_left_open(folder: Path, tmp_path: Path):
    (folder / "current").symlink_to("model/v1")
    (folder / "also.py").symlink_to("strategy.py")
    before = list(Path("/proc/self/fd").iterdir())
    hashed(folder)
    copy(folder, tmp_path / "copy")
    assert len(list(Path("/proc/self/fd").iterdir())) == len(before)
