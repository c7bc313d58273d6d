"""The number that survives a full disk and a lost database."""

from __future__ import annotations

import os

import pytest

from supervisor.store.high_mark import WIDTH, HighMark


def reopened(path) -> int:
    mark = HighMark(path)
    try:
        return mark.open()
    finally:
        mark.close()


def test_it_only_rises_and_outlives_whoever_wrote_it(tmp_path):
    path = tmp_path / "mark"
    mark = HighMark(path)
    assert mark.open() == 0
    for value in (7, 3, 12):
        mark.rise(value)
    assert reopened(path) == 12, "not closed: as after a kill"
    mark.close()
    mark.close()
    assert (path.stat().st_size, path.stat().st_mode & 0o777) == (WIDTH + 1, 0o600)


@pytest.mark.parametrize("content", [b"", b"12", b"\xff" * 40, b"-0000000000000000001", b" " * 40])
def test_what_is_no_number_is_none(tmp_path, content):
    (tmp_path / "mark").write_bytes(content)
    assert reopened(tmp_path / "mark") == 0
    assert reopened(tmp_path / "mark") == 0


def test_where_nothing_can_be_kept_nothing_fails(tmp_path):
    for path in (tmp_path / "no" / "folder", tmp_path):
        mark = HighMark(path)
        assert mark.open() == 0
        mark.rise(5)
        mark.close()
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    assert reopened(tmp_path / "link") == 0
    assert not (tmp_path / "victim").exists()


def test_a_fifo_in_its_place_holds_nobody_up(tmp_path):
    os.mkfifo(tmp_path / "mark")
    assert reopened(tmp_path / "mark") == 0
