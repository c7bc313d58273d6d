"""Logs of strategies: no line lost or forged, and no disk or reader in anybody's way."""

from __future__ import annotations

import asyncio
import os
import stat
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor import log_past
from supervisor.logs import TAIL, Line, LogBook, parse
from tests.waiting import turn


@pytest.fixture
def book(tmp_path):
    book = LogBook(tmp_path / "a.log")
    yield book
    book.close()


def texts(book: LogBook, limit: int | None = None) -> list[str]:
    async def read() -> list[str]:
        return [line.text async for line in book.read(limit)]

    return asyncio.run(read())


def write(book: LogBook, *lines: str, generation: int = 1) -> None:
    book.write(generation, [(1_700_000_000_123_456_789, "out", text) for text in lines])


@given(st.integers(1, 2**62), st.sampled_from(["out", "err", "log"]), st.text(), st.integers(1, 2**40))
def test_what_is_written_can_be_read_back(tmp_path_factory, at, stream, text, generation):
    path = tmp_path_factory.mktemp("log") / "x.log"
    book = LogBook(path)
    book.write(generation, [(at, stream, text)])
    book.close()
    (raw,) = path.read_bytes().splitlines(keepends=True)
    line = parse(raw.decode())
    assert (line.at, line.stream, line.generation) == (at, stream, generation)
    (kept,) = book.tail()
    assert kept == (line.text if stream == "out" else f"[{stream}] {line.text}")


def test_a_strategy_cannot_forge_a_line_or_drive_the_terminal(book, tmp_path):
    write(book, "a\n2026-01-01T00:00:00.000000000Z 9 log forged", "\x1b[2J\u2028x\x85y\ttab")
    assert len((tmp_path / "a.log").read_bytes().split(b"\n")) == 3
    assert texts(book) == [
        "a\\x0a2026-01-01T00:00:00.000000000Z 9 log forged",
        "\\x1b[2J\\u2028x\\x85y\ttab",
    ]


def test_the_last_lines_come_from_memory_and_more_from_the_files(book):
    write(book, *(f"line {n}" for n in range(500)))
    assert texts(book, 2) == ["line 498", "line 499"]
    assert texts(book, 450) == [f"line {n}" for n in range(50, 500)]
    assert book.tail() == [f"line {n}" for n in range(500 - TAIL, 500)]
    assert texts(book, 0) == []


def test_a_new_daemon_reads_what_the_old_one_wrote(book, tmp_path):
    write(book, "before")
    book.close()
    again = LogBook(tmp_path / "a.log")
    assert texts(again, 10) == ["before"]
    write(again, "after")
    assert texts(again, 10) == ["before", "after"]
    again.close()


def test_the_last_lines_of_an_earlier_daemon_can_be_recalled(book, tmp_path):
    book.write(1, [(n, "out", f"line {n} of a daemon that died" + "." * 2000) for n in range(1000)])
    book.close()
    path = next(tmp_path.rglob("*.log"))
    again = LogBook(path)
    again.recall()
    assert 100 < len(again.tail()) < 200, "what stands in its last quarter of a MiB, whole lines"
    assert again.tail()[-1].startswith("line 999 ")
    assert LogBook(tmp_path / "none.log").recall() is None


def test_rotation_at_a_size_loses_and_tears_no_line(tmp_path):
    book = LogBook(tmp_path / "a.log", max_bytes=2000, keep=50)
    for n in range(200):
        write(book, f"line {n}")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert len(files) == 5
    assert all(path.stat().st_size < 2100 for path in tmp_path.iterdir())
    assert texts(book, 1000) == [f"line {n}" for n in range(200)]
    book.close()


def test_only_so_many_rotated_files_are_kept(tmp_path):
    book = LogBook(tmp_path / "a.log", max_bytes=100, keep=2)
    for n in range(50):
        write(book, f"line {n}")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    book.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_file_renamed_from_outside_is_left_and_a_new_one_begun(book, tmp_path):
    write(book, "one")
    (tmp_path / "a.log").rename(tmp_path / "a.log-20260101")
    write(book, "two")
    assert b" two\n" in (tmp_path / "a.log").read_bytes()
    assert b" one\n" in (tmp_path / "a.log-20260101").read_bytes()
    assert not (tmp_path / "a.log.1").exists()


def test_a_disk_that_takes_nothing_is_counted_and_memory_goes_on(tmp_path):
    book = LogBook(tmp_path / "absent" / "a.log")
    write(book, "one", "two")
    assert book.dropped == 2
    assert texts(book, 10) == ["one", "two"]
    (tmp_path / "absent").mkdir()
    write(book, "three")
    assert (tmp_path / "absent" / "a.log").read_bytes().count(b"\n") == 1
    assert book.dropped == 2
    book.close()


def test_what_the_disk_did_not_take_is_shown_out_of_memory_behind_what_it_took(tmp_path, monkeypatch):
    book = LogBook(tmp_path / "a.log")

    def say(first: int, last: int) -> None:
        book.write(1, [(n, "out", f"line {n}") for n in range(first, last)])

    say(1, 400)
    monkeypatch.setattr("os.write", full)
    say(400, 500)
    monkeypatch.undo()
    assert texts(book, 450) == [f"line {n}" for n in range(50, 500)]
    say(500, 550)
    assert texts(book, 300) == [f"line {n}" for n in range(250, 550)]
    say(550, 800)
    assert texts(book, 1000) == [f"line {n}" for n in [*range(1, 400), *range(500, 800)]]
    book.close()


def full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_file_that_was_cut_from_outside_is_rotated_by_its_size_and_not_by_what_it_was(tmp_path):
    """As logrotate's copytruncate does."""
    book = LogBook(tmp_path / "a.log", max_bytes=2000)
    while not (tmp_path / "a.log").exists() or (tmp_path / "a.log").stat().st_size < 2000:
        write(book, "before")
    os.truncate(tmp_path / "a.log", 0)
    write(book, "after")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log"]
    assert texts(book, 1000)[-1] == "after"
    book.close()


def test_the_file_is_for_its_owner_alone_and_never_through_a_link(book, tmp_path):
    write(book, "x")
    assert stat.S_IMODE((tmp_path / "a.log").stat().st_mode) == 0o600
    (tmp_path / "b.log").symlink_to(tmp_path / "victim")
    linked = LogBook(tmp_path / "b.log")
    write(linked, "x")
    assert (linked.dropped, (tmp_path / "victim").exists()) == (1, False)
    linked.close()


def test_a_follower_gets_the_last_lines_and_then_each_as_it_comes(book):
    async def scenario():
        write(book, "one", "two")
        lines = book.read(1, follow=True)
        assert (await anext(lines)).text == "two"
        coming = asyncio.create_task(anext(lines))
        await turn()
        write(book, "three", generation=2)
        assert await coming == Line(1_700_000_000_123_456_789, "out", "three", 2)
        book.close()
        assert [line async for line in lines] == []

    asyncio.run(scenario())


@pytest.mark.parametrize("text", ["", "x", "not a time 1 out x", "2026-01-01T00:00:00.000000000Z x out y"])
def test_what_is_no_line_is_passed_over(text):
    assert parse(text) is None


def test_many_lines_are_read_on_a_thread_and_the_loop_turns_meanwhile(book, monkeypatch):
    write(book, *(f"line {n}" for n in range(TAIL + 1)))
    here, read_by = threading.get_ident(), []
    read = log_past.last

    def noting(*asked):
        read_by.append(threading.get_ident())
        return read(*asked)

    monkeypatch.setattr(log_past, "last", noting)
    assert len(texts(book, TAIL + 1)) == TAIL + 1
    assert len(read_by) == 1
    assert read_by != [here]


def test_what_is_written_while_the_past_is_read_is_told_once(book, monkeypatch):
    """It comes behind, as it would have; the file has rotated meanwhile, and is found under its new name."""
    book = LogBook(book._path, max_bytes=4000)
    write(book, *(f"line {n}" for n in range(TAIL + 20)))
    read = log_past.last

    def slowly(*asked):
        for number in range(3):
            book.write(2, [(1_700_000_000_123_456_789, "out", f"new {number}")])
        return read(*asked)

    monkeypatch.setattr(log_past, "last", slowly)

    async def follow() -> list[str]:
        lines = book.read(TAIL + 10, follow=True)
        found = [(await anext(lines)).text for _ in range(TAIL + 13)]
        await lines.aclose()
        return found

    expected = [f"line {n}" for n in range(10, TAIL + 20)] + ["new 0", "new 1", "new 2"]
    assert expected == asyncio.run(follow())
    book.close()


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.text(alphabet="ab\r\x85é", min_size=1, max_size=9), max_size=30), max_size=4),
    st.integers(0, 60),
    st.integers(1, 12),
)
def test_the_last_lines_of_files_are_found_from_their_end(tmp_path_factory, files, limit, piece):
    folder = tmp_path_factory.mktemp("past")
    paths = [folder / f"{number}" for number in range(len(files))]
    for path, lines in zip(paths, files, strict=True):
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    sizes = log_past.standing(paths)
    for path in paths:
        with path.open("ab") as file:
            file.write(b"later\n")
    whole = [line for lines in reversed(files) for line in lines]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_past, "PIECE", piece)
        assert whole[max(0, len(whole) - limit) :] == log_past.last(paths, sizes, limit, str)
