"""Tables: what fits, what goes, what a strategy's output may not do to a terminal."""

from __future__ import annotations

import io
from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from cli.tables import Column, Sheet, clean, columns, cut, fields, fit, hanging, plain, rich_table, widths
from cli.words import amount, count, instant, lag, megabytes, span

SHEET = Sheet(
    columns("ID", Column("N", 1, right=True), Column("WHAT", 2, flexible=True), Column("EXTRA", 9)),
    (("one", "1", "a long sentence about one", "x"), ("two", "22", "short", "y")),
)


def test_where_nobody_looks_every_column_is_there_in_full():
    assert plain(SHEET) == (
        "ID    N  WHAT                       EXTRA\n"
        "one   1  a long sentence about one  x\n"
        "two  22  short                      y"
    )


def titles(sheet: Sheet) -> list[str]:
    return [column.title for column in sheet.columns]


@pytest.mark.parametrize(
    ("width", "left"),
    [(80, ["ID", "N", "WHAT", "EXTRA"]), (28, ["ID", "N", "WHAT", "EXTRA"]), (27, ["ID", "N", "WHAT"]),
     (20, ["ID", "N"]), (3, ["ID"]), (1, ["ID"])],
)  # fmt: skip
def test_columns_go_by_rank_until_the_rest_fits(width, left):
    assert titles(fit(SHEET, width)) == left


def test_a_flexible_column_is_cut_before_others_go():
    assert fit(SHEET, 36).rows[0] == ("one", "1", "a long sentence abo…", "x")


@given(
    st.integers(20, 200),
    st.lists(st.tuples(st.text("ab", max_size=9), st.text("c", max_size=80)), max_size=5),
)
def test_what_is_shown_is_never_wider_than_the_terminal(width, rows):
    sheet = Sheet(columns("ID", Column("WHAT", 1, flexible=True)), tuple(rows))
    fitted = fit(sheet, width)
    assert sum(widths(fitted)) + 2 * (len(fitted.columns) - 1) <= width


@pytest.mark.parametrize("width", [40, 80, 140])
def test_rich_prints_one_line_a_row_and_no_markup_of_a_strategy(width):
    sheet = Sheet(columns("ID", Column("WHY", 1, flexible=True)), (("[bold]x[/bold]", "[red]" * 40),))
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False)
    console.print(rich_table(sheet, width))
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= width
    assert "[bold]x[/bold]" in lines[1]


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b[0m", "a\rb", "\x9b2J", "bell\x07", "\u202eright to left"])
def test_control_characters_never_reach_the_terminal(text):
    assert all(char.isprintable() for char in clean(text))


def test_tabs_and_letters_of_every_script_are_kept():
    assert clean("a\tü 漢 🙂") == "a\tü 漢 🙂"


@given(st.text("ab ", max_size=60), st.text("cde ", max_size=200), st.integers(30, 100))
def test_a_hanging_text_loses_no_word_and_passes_no_margin(head, text, width):
    lines = hanging(head, text, width).splitlines()
    assert "".join("".join(lines).split()) == "".join((head + text).split())
    if len(head) < width:
        assert max(map(len, lines), default=0) <= width


def test_a_text_is_cut_with_an_ellipsis():
    assert (cut("abcdef", 4), cut("abc", 4), cut("abc", None)) == ("abc…", "abc", "abc")


def test_empty_fields_are_left_out_and_values_stand_in_a_line():
    assert fields([("a", "1"), ("long", "2"), ("none", "")]) == "a     1\nlong  2"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0.0s"),
        (9.94, "9.9s"),
        (59.4, "59s"),
        (60, "1m00s"),
        (3725, "1h02m"),
        (400_000, "4d15h"),
    ],
)
def test_spans_have_two_units_at_most(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "-"), (0.84, "0.8ms"), (999.9, "999.9ms"), (1000, "1.0s"), (75_000, "1m15s"),
        (86_393_219.4, "23h59m"), (-19_800_000, "-5h30m"), (-0.3, "-0.3ms"),
    ],
)  # fmt: skip
def test_a_lag_has_the_unit_of_its_size(milliseconds, text):
    assert lag(milliseconds) == text


def test_numbers_are_as_short_as_they_can_be():
    assert (megabytes(27.5), megabytes(256.0), megabytes(2048.0), megabytes(None)) == (
        "27.5M",
        "256M",
        "2.0G",
        "-",
    )
    assert (count(999_999), count(1_500_000), amount(1.50), amount(None)) == ("999999", "1.5M", "1.5", "-")


def test_an_instant_is_told_to_the_millisecond_and_never_rounded_up():

    assert instant(1_763_681_904_999_999_999, UTC) == "2025-11-20 23:38:24.999"
    assert instant(None) == "-"
