"""``strategies edit``: other words for a version, and what is no word."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.system


def test_words_are_given_and_given_back(served, stratd, daemon):
    ended = stratd("strategies edit crossover --title 'Two lines' --type momentum")
    assert (0, "crossover@1.0.0: Two lines (momentum)\n", "") == (ended.code, ended.out, ended.err)
    assert {"title": "Two lines", "type": "momentum"} == daemon.words
    ended = stratd("strategies edit crossover@1.0.0 --title '' --json")
    assert (0, "crossover") == (ended.code, ended.json["name"])
    assert {"title": None, "type": "momentum"} == daemon.words


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("edit crossover", 2, "strategies edit crossover: give --title, --description or --type"),
        ("edit", 2, "strategies edit: give a NAME"),
        ("--title x", 2, "--title goes with 'strategies edit NAME' alone"),
        ("edit crosover --title x", 4, "no strategy 'crosover'; did you mean 'crossover'?"),
        ("edit crossover --type lucky", 2, "type = 'lucky': input should be 'trend_following'"),
    ],
)
def test_what_is_no_word_for_a_version_is_one_line(stratd, daemon, line, code, said):
    ended = stratd(f"strategies {line}")
    assert (code, True, 1) == (ended.code, ended.err.startswith(f"stratd: {said}"), ended.err.count("\n")), (
        ended
    )
    assert daemon.words is None
