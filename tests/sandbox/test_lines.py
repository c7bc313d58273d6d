from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sandbox.lines import (
    ENVELOPE,
    HELD,
    LONGEST,
    REPORT,
    WAITING,
    LineQueue,
    Splitter,
    harmless,
    harmless_text,
)


def texts(queue: LineQueue, now: float, *, everything: bool = False) -> list[str]:
    return [text for lines, _ in queue.take(now, everything=everything) for _, _, text in lines]


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_lines_do_not_depend_on_how_the_bytes_were_read(data, sizes):
    whole = Splitter()
    expected = whole.feed(data) + whole.end()
    splitter, found, rest = Splitter(), [], data
    for size in sizes:
        found += splitter.feed(rest[:size])
        rest = rest[size:]
    found += splitter.feed(rest) + splitter.end()
    assert found == expected


@given(st.binary(max_size=200))
def test_no_control_character_survives(data):
    splitter = Splitter()
    for line in splitter.feed(data) + splitter.end():
        assert all(c == "\t" or (c >= " " and not "\x7f" <= c <= "\x9f") for c in line)


def test_an_escape_sequence_is_written_out():
    assert harmless("\x1b[2Jgone\tstays") == "\\x1b[2Jgone\tstays"


def test_what_turns_text_around_or_breaks_lines_is_written_out():
    assert harmless("pass\u202e\u2066txt\u2028ok") == "pass\\u202e\\u2066txt\\u2028ok"
    assert harmless("Grüße, שלום, 日本") == "Grüße, שלום, 日本"


@given(st.text())
def test_text_of_several_lines_keeps_its_newlines_and_no_other_control_character(text):
    found = harmless_text(text)
    assert found.count("\n") == text.count("\n")
    assert all(c in "\t\n" or (c >= " " and not "\x7f" <= c <= "\x9f") for c in found)


def test_a_flood_of_empty_lines_is_counted_without_being_decoded():
    splitter = Splitter()
    lines = splitter.feed(b"\n" * 65_536, room=500)
    assert (len(lines), splitter.skipped) == (500, 65_036)


@given(st.integers(0, 2000), st.integers(WAITING, 1000))
def test_of_a_flood_the_first_and_the_last_lines_are_kept(count, room):
    splitter = Splitter()
    numbers = [int(line) for line in splitter.feed(b"".join(b"%d\n" % n for n in range(count)), room)]
    assert len(numbers) + splitter.skipped == count
    assert numbers[-WAITING:] == list(range(count))[-WAITING:]
    assert numbers[: room - WAITING] == list(range(count))[: room - WAITING]


def test_there_is_room_for_as_many_lines_as_could_leave_or_wait():
    queue = LineQueue(LONGEST, 0.0)
    assert queue.room(0.0) == WAITING + LONGEST // ENVELOPE
    for n in range(LONGEST // ENVELOPE):
        queue.add((n, "out", ""), 0.0)
    assert queue.room(0.0) == WAITING


def test_a_line_larger_than_the_burst_does_not_stop_those_behind_it():
    """8 KiB of control characters are 32 KiB written out: more than the smallest rate ever has at once."""
    queue = LineQueue(1024, 0.0)
    queue.add((0, "out", harmless("\x1b" * LONGEST)), 0.0)
    queue.add((1, "out", "next"), 0.0)
    assert [len(text) for text in texts(queue, 0.0)] == [4 * LONGEST]
    assert texts(queue, 1.0) == ["next"]


def test_an_endless_line_is_cut_and_takes_no_memory():
    splitter = Splitter()
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
        assert len(splitter._open) <= LONGEST
    assert splitter.feed(b"\nnext\n") == ["x" * LONGEST + f" ... {1_000_000 - LONGEST} bytes cut", "next"]


def test_a_line_without_an_end_is_kept_for_the_end():
    splitter = Splitter()
    assert splitter.feed(b"one\r\ntwo") == ["one"]
    assert splitter.end() == ["two"]
    assert splitter.end() == []


def test_lines_within_the_rate_leave_at_once():
    queue = LineQueue(100_000, 0.0)
    for n in range(10):
        queue.add((n, "out", f"line {n}"), 0.0)
    assert queue.take(0.0) == [([(n, "out", f"line {n}") for n in range(10)], 0)]
    assert queue.take(0.0) == []


def test_over_the_rate_the_last_lines_wait_and_leave_at_the_end():
    queue = LineQueue(10_000, 0.0)
    for n in range(1000):
        queue.add((n, "out", "x" * 68 + f"{n:4}"), 0.0)
    first = texts(queue, 0.0)
    assert len(first) == 96  # 10,000 / (72 + 32)
    last = texts(queue, 0.0, everything=True)
    assert [int(text[-4:]) for text in last] == list(range(1000 - WAITING, 1000))
    assert queue.dropped == 1000 - 96 - WAITING


def test_waiting_lines_leave_before_newer_ones_when_the_rate_allows():
    queue = LineQueue(10_000, 0.0)
    for n in range(150):
        queue.add((n, "out", "x" * 68 + f"{n:4}"), 0.0)
    queue.take(0.0)
    queue.add((150, "out", "newest"), 2.0)
    numbers = texts(queue, 2.0)
    assert numbers[-1] == "newest"
    assert [int(text[-4:]) for text in numbers[:-1]] == list(range(96, 150))


def test_a_report_is_bounded_and_tells_each_drop_once():
    queue = LineQueue(10**9, 0.0)
    for n in range(100):
        queue.add((n, "out", "y" * 8000), 0.0)
    queue.lost(7)
    reports = queue.take(0.0)
    assert len(reports) > 1
    assert all(sum(len(text) for _, _, text in lines) <= REPORT for lines, _ in reports)
    assert [dropped for _, dropped in reports] == [7, *[0] * (len(reports) - 1)]
    assert queue.take(0.0) == []


def test_what_finds_no_room_leaves_first_next_time_and_in_order():
    queue = LineQueue(10**9, 0.0)
    for n in range(100):
        queue.add((n, "out", "y" * 8000), 0.0)
    queue.lost(7)
    reports = queue.take(0.0)
    queue.put_back(reports[1:])
    queue.put_back(reports[:1])
    queue.add((100, "out", "new"), 0.0)
    again = queue.take(0.0)
    assert [at for lines, _ in again for at, _, _ in lines] == list(range(101))
    assert [dropped for _, dropped in again] == [7, *[0] * (len(again) - 1)]
    assert queue.dropped == 7


def test_for_a_supervisor_that_never_reads_the_newest_are_kept_within_bounds():
    queue, number = LineQueue(10**9, 0.0), 0
    for _ in range(20):
        for _ in range(50):
            queue.add((number, "out", "y" * 8000), 0.0)
            number += 1
        queue.put_back(queue.take(0.0))
    kept = [at for lines, _ in queue.take(0.0) for at, _, _ in lines]
    assert kept == list(range(number - len(kept), number))
    assert HELD - 8100 < len(kept) * (8000 + ENVELOPE) <= HELD
    assert queue.dropped == number - len(kept)


@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 0.2)), max_size=300))
def test_every_line_is_handed_out_or_counted_as_dropped(steps):
    queue = LineQueue(1000, 0.0)
    now, out = 0.0, 0
    for size, pause in steps:
        now += pause
        queue.add((0, "out", "z" * size), now)
        out += len(texts(queue, now)) if size % 3 == 0 else 0
    out += len(texts(queue, now, everything=True))
    assert out + queue.dropped == len(steps)
