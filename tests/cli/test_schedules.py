"""``stratd schedule``: shown, set whole, taken away."""

from __future__ import annotations

import pytest

from cli.windows import window

SET = "schedule eurusd --zone Europe/London --window"


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("mon-fri 09:00-17:30", ["mon", "tue", "wed", "thu", "fri"], "09:00", "17:30"),
        ("sat,sun 22:00 - 02:00", ["sat", "sun"], "22:00", "02:00"),
        ("fri-mon 00:00-24:00", ["fri", "sat", "sun", "mon"], "00:00", "24:00"),
        ("mon,mon-tue 1:00-2", ["mon", "tue"], "1:00", "2"),
        ("daily 08:00-20:00", ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "08:00", "20:00"),
    ],
)
def test_a_window_is_read_as_it_is_typed(text, days, start, end):
    assert {"days": days, "start": start, "end": end} == window(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("monday 09:00-17:30", "'monday' is no day: allowed are mon, tue"),
        ("mon-fry 09:00-17:30", "'mon-fry' is no day"),
        ("mon- 09:00-17:30", "'mon-' is no day"),
        ("09:00-17:30", "must be DAYS HH:MM-HH:MM"),
        ("", "must be DAYS"),
    ],
)
def test_what_is_no_window_says_what_one_is(text, why):
    with pytest.raises(ValueError, match=why):
        window(text)


@pytest.mark.system
def test_a_schedule_is_set_shown_and_taken_away(served, stratd, daemon):
    assert stratd("schedule eurusd").out == "eurusd: no schedule: it runs as it is wanted, at any time\n"
    ended = stratd(f"{SET} 'mon-fri 09:00-17:30' --calendar XLON --outside pause")
    assert (ended.code, ended.out.splitlines()) == (0, [
        "eurusd: mon-fri 09:00-17:30 Europe/London, outside: stop",
        "eurusd: outside its schedule until Mon 09:00 Europe/London",
    ])  # fmt: skip
    (_, name, request, _), *_ = daemon.calls
    assert (name, request.zone, request.calendar, request.outside) == (
        "eurusd", "Europe/London", "XLON", "pause"
    )  # fmt: skip
    assert request.windows[0].days == ["mon", "tue", "wed", "thu", "fri"]
    assert stratd("schedule eurusd --json").json["inside"] is False
    assert stratd("schedule eurusd --clear").code == 0
    assert stratd("schedule eurusd --json").json["schedule"] is None


@pytest.mark.system
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("--window 'mon 09:00-17:00'", "a schedule is set whole: --zone is missing"),
        ("--zone UTC", "a schedule is set whole: --window is missing"),
        ("--zone UTC --clear", "--clear goes with nothing else"),
        ("--zone UTC --window 'mond 1-2'", "--window 'mond 1-2': 'mond' is no day"),
        ("--zone Mars --window 'mon 09:00-17:00'", "zone = 'Mars': is no IANA time zone"),
        ("--zone UTC --window 'mon 9-17'", "windows.0.start = '9'"),
    ],
)
def test_a_wrong_schedule_is_one_line_and_changes_nothing(served, stratd, daemon, words, line):
    ended = stratd(f"schedule eurusd {words}")
    assert (ended.code, ended.out, daemon.calls) == (2, "", [])
    assert line in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.system
def test_an_unknown_deployment_is_4_and_near_ones_are_named(served, stratd):
    ended = stratd("schedule eurosd")
    assert ended.code == 4
    assert "eurusd" in ended.err
