"""What is said of lines that did not come."""

from __future__ import annotations

import sys

import pytest

from cli.talk import print_lines


@pytest.mark.parametrize(
    ("lines", "how"),
    [([], (True, True)), ([], (False, False)), ([], (False, True)), ([b"one"], (True, False))],
)
def test_nothing_is_added_for_a_program_nor_to_what_came(capsys, monkeypatch, lines, how):
    terminal, as_json = how
    came = "".join(f"{line.decode()}\n" for line in lines)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    print_lines(lines, as_json, bytes.decode, "no signals")
    assert came == capsys.readouterr().out


def test_that_nothing_came_is_said_to_a_person(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_lines([], False, bytes.decode, "no signals")
    assert capsys.readouterr().out == "no signals\n"
