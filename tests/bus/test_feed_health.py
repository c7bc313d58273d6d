"""The health of a feed as a function of time."""

from __future__ import annotations

import pytest

from bus.feeds.health import MAX_NAMED, SECOND, Gap, Heard, Teller, judge
from bus.intake import Intake
from tests.bus.feeding import T0, heartbeat, tick, trade

HEARTBEAT, SILENCE = 3 * SECOND, 60 * SECOND


@pytest.mark.parametrize(
    ("heard", "after", "state"),
    [
        (Heard(), 0, "disconnected"),
        (Heard(at=T0), 3, "healthy"),
        (Heard(at=T0), 60, "healthy"),
        (Heard(at=T0), 61, "stale"),
        (Heard(at=T0, beat_at=T0), 3, "healthy"),
        (Heard(at=T0, beat_at=T0), 4, "stale"),
        (Heard(at=T0, lost_at=T0 + 1, lost="gone"), 1, "disconnected"),
        (Heard(at=T0 + 2, lost_at=T0 + 1, lost="gone"), 1, "healthy"),
    ],
)
def test_the_state_follows_from_what_was_heard_and_when(heard, after, state):
    assert judge(heard, T0 + after * SECOND, HEARTBEAT, SILENCE)[0] == state


def states(intake, now):
    return [(status.state, status.symbols) for status in intake.health(now)]


def test_a_feed_is_told_once_and_again_only_when_something_changed():
    intake = Intake("main", "native")
    assert states(intake, T0) == [("disconnected", [])]
    assert states(intake, T0) == []
    intake.accept(heartbeat(T0), T0)
    assert states(intake, T0) == [("healthy", [])]
    assert states(intake, T0 + SECOND) == []
    assert states(intake, T0 + 4 * SECOND) == [("stale", [])]
    intake.accept(trade(T0 + 4 * SECOND), T0 + 4 * SECOND)
    assert states(intake, T0 + 4 * SECOND) == [("healthy", [])]


def test_idle_for_ten_seconds_with_heartbeats_is_healthy():
    intake = Intake("main", "native")
    intake.accept(trade(T0, seq=1), T0)
    for n in range(11):
        now = T0 + n * SECOND
        intake.accept(heartbeat(now, EURUSD=1), now)
        assert all(status.state == "healthy" for status in intake.health(now))
    assert (intake.heartbeats, intake.gaps, intake.watermark) == (11, 0, T0 + 10 * SECOND)


def test_ticks_keep_a_feed_alive_whose_heartbeats_stop():
    intake = Intake("main", "native")
    intake.accept(heartbeat(T0), T0)
    for n in range(10):
        intake.accept(trade(T0 + n * SECOND), T0 + n * SECOND)
        assert intake.health(T0 + n * SECOND)[-1:] == [] or n == 0


def test_a_feed_without_heartbeats_is_stale_only_after_the_longer_silence():
    intake = Intake("fx", "dwx", silence_s=30)
    intake.accept([b"EURUSD:|:1.0;1.1"], T0)
    assert states(intake, T0 + 29 * SECOND) == [("healthy", [])]
    assert states(intake, T0 + 31 * SECOND) == [("stale", [])]


def test_what_is_refused_or_ignored_does_not_make_a_feed_healthy():
    intake = Intake("main", "openalgo")
    intake.accept([b"u_orders", b""], T0)
    intake.accept([b"NSE_X_LTP", b"{"], T0)
    assert states(intake, T0) == [("disconnected", [])]


def test_a_lost_connection_is_told_until_something_comes():
    intake = Intake("main", "native")
    intake.accept(trade(T0), T0)
    intake.disconnected("connection refused", T0 + SECOND)
    (status,) = intake.health(T0 + SECOND)
    assert (status.state, status.detail) == ("disconnected", "connection refused")
    intake.accept(trade(T0 + 2 * SECOND), T0 + 2 * SECOND)
    assert states(intake, T0 + 2 * SECOND) == [("healthy", [])]


def test_health_says_what_cannot_be_told():
    intake = Intake("fx", "dwx")
    intake.accept([b"EURUSD:|:1.0;1.1"], T0)
    (status,) = intake.health(T0)
    assert "no sequence numbers" in status.detail
    assert "stamped on receipt" in status.detail
    assert "no heartbeats" in status.detail


def test_a_publisher_is_given_time_for_its_first_heartbeat():
    def details(intake, now):
        return [status.detail for status in intake.health(now)]

    beats, silent = Intake("main", "native"), Intake("main", "native")
    for intake in (beats, silent):
        intake.accept(trade(T0, seq=1), T0)
        assert details(intake, T0) == [""]
    beats.accept(heartbeat(T0 + SECOND), T0 + SECOND)
    assert details(beats, T0 + 3 * SECOND) == []
    silent.accept(trade(T0 + SECOND, seq=2), T0 + SECOND)
    assert details(silent, T0 + 3 * SECOND - 1) == []
    assert details(silent, T0 + 3 * SECOND) == ["no heartbeats, silence is noticed after 60 s"]


def test_a_gap_is_told_of_its_symbols_once_and_then_that_it_is_over():
    intake = Intake("main", "native")
    intake.accept(heartbeat(T0), T0)
    intake.accept(trade(T0, seq=1), T0)
    intake.health(T0)
    intake.accept(trade(T0 + SECOND, seq=5), T0 + SECOND)
    assert intake.gapped == {"EURUSD": Gap("EURUSD", T0, T0 + SECOND, 3)}
    (status,) = intake.health(T0 + SECOND)
    assert (status.state, status.symbols, status.detail) == ("gap", ["EURUSD"], "EURUSD: 3 missing")
    assert (intake.gaps, intake.gapped) == (1, {})
    assert states(intake, T0 + 2 * SECOND - 1) == []
    assert states(intake, T0 + 2 * SECOND) == [("healthy", ["EURUSD"])]
    assert states(intake, T0 + 3 * SECOND) == []


def test_a_feed_that_loses_much_is_told_once_a_second():
    intake, told = Intake("main", "native"), []
    for n in range(2000):
        now = T0 + n * SECOND // 1000
        intake.accept(trade(now, seq=1 + 2 * n), now)
        told += [status.detail for status in intake.health(now) if status.state == "gap"]
    assert told == ["EURUSD: 1 missing", "EURUSD: 1000 missing"]
    assert intake.gaps == 1999


def test_a_clock_that_is_set_back_does_not_silence_gaps():
    intake = Intake("main", "native")
    for n, now in enumerate((T0 + 3600 * SECOND, T0 + 3600 * SECOND, T0)):
        intake.accept(trade(T0, seq=1 + 2 * n), now)
        told = [status.state for status in intake.health(now)]
    assert told == ["gap"]


def test_every_symbol_that_had_a_gap_is_told_in_sequence_again():
    teller = Teller("main")
    teller.changes("healthy", "", {"A": Gap("A", 1, 2, 1)}, T0)
    teller.changes("healthy", "", {"B": Gap("B", 1, 2, 1)}, T0 + SECOND)
    (status,) = teller.changes("healthy", "", {}, T0 + 2 * SECOND)
    assert (status.state, status.symbols) == ("healthy", ["A", "B"])


def test_a_heartbeat_tells_what_was_lost_before_a_silence():
    intake = Intake("main", "native")
    intake.accept(trade(T0, seq=7), T0)
    intake.accept(heartbeat(T0 + SECOND, EURUSD=9), T0 + SECOND)
    assert (intake.gaps, intake.gapped["EURUSD"].missing) == (1, 2)
    intake.accept(trade(T0 + SECOND, seq=10), T0 + SECOND)
    assert intake.gaps == 1


def test_a_heartbeat_of_a_symbol_not_heard_yet_is_a_baseline_and_no_gap():
    intake = Intake("main", "native")
    intake.accept(heartbeat(T0, EURUSD=500), T0)
    intake.accept(trade(T0, seq=501), T0)
    assert intake.gaps == 0
    intake.accept(trade(T0, seq=503), T0)
    assert intake.gaps == 1


def test_bad_symbols_in_a_heartbeat_are_counted_and_the_others_kept():
    intake = Intake("main", "native")
    intake.accept(heartbeat(T0, **{"bad name": 1, "EURUSD": 5, "GBPUSD": -1}), T0)
    assert (intake.heartbeats, intake.symbols) == (1, 1)
    assert intake.rejected == {"symbol": 1, "not_positive": 1}


def test_gaps_of_very_many_symbols_are_told_of_the_whole_feed():
    gaps = {f"S{n}": Gap(f"S{n}", 1, 2, 1) for n in range(MAX_NAMED + 1)}
    (_, status) = Teller("main").changes("healthy", "", gaps, T0)
    assert (status.state, status.symbols) == ("gap", [])
    assert status.detail.endswith("and 998 more")


def test_a_publisher_that_counts_again_is_told_as_a_gap():
    intake = Intake("main", "native")
    intake.accept(trade(T0, seq=900), T0)
    intake.accept(trade(T0 + SECOND, seq=1), T0 + SECOND)
    assert intake.health(T0 + SECOND)[-1].detail == "EURUSD: the publisher began to count again"
    assert intake.accept(tick("EURUSD", T0 + SECOND, 1.5, 1.0, None, None, None, None, 2), T0 + SECOND)
