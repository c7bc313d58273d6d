"""The duty cycle, against simulated processes: it holds over any ten seconds, however late the looks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.duty import BURST, CALM, LONGEST_STOP, SHORTEST_RUN, Duty, begin, step

GRAIN = 0.001
SPAN = 10.0


class Simulation:
    """A process that wants to run when ``wants(now)`` says so, looked at ``late()`` s after it is due."""

    def __init__(self, quota: float, wants: Callable[[float], bool], late: Callable[[], float] = lambda: 0.0):
        self.duty, self.due, self.looks = begin(quota, 0.0, 0.0), 0.0, 0
        self.wants, self.late = wants, late
        self.now, self.used = 0.0, [0.0]
        self.stops: list[tuple[float, float]] = []

    def run(self, seconds: float) -> Simulation:
        for _ in range(round(seconds / GRAIN)):
            if self.now >= self.due:
                before = self.duty
                self.duty, until = step(before, self.now, self.used[-1])
                assert until > self.now, "the next look lies ahead"
                if before.stopped and not self.duty.stopped:
                    self.stops.append((before.since, self.now))
                self.due = until + self.late()
                self.looks += 1
            self.now += GRAIN
            runs = not self.duty.stopped and self.wants(self.now)
            self.used.append(self.used[-1] + GRAIN * runs)
        return self

    def shares(self, after: float = 0.0) -> list[float]:
        """The share of every window of ten seconds that begins later than ``after``."""
        width, first = round(SPAN / GRAIN), round(after / GRAIN)
        return [
            (self.used[n + width] - self.used[n]) / SPAN for n in range(first, len(self.used) - width, 100)
        ]


def always(_now: float) -> bool:
    return True


@pytest.mark.parametrize("quota", [0.01, 0.05, 0.2, 0.5, 0.9])
def test_a_spinner_gets_its_share_within_five_points_in_any_ten_seconds_from_the_first(quota):
    shares = Simulation(quota, always).run(40).shares()
    assert quota <= min(shares) + 0.01
    assert max(shares) <= quota + 0.05


@pytest.mark.parametrize("quota", [0.05, 0.2, 0.5])
@pytest.mark.parametrize(("on", "off"), [(1.0, 1.0), (0.1, 0.05), (3.0, 2.0)])
def test_bursts_get_no_more(quota, on, off):
    shares = Simulation(quota, lambda now: now % (on + off) < on).run(40).shares()
    assert max(shares) <= quota + 0.05


@given(st.floats(0.05, 0.9), st.lists(st.floats(0, 0.1), min_size=1, max_size=50))
@settings(max_examples=25, deadline=None)
def test_late_looks_are_paid_back(quota, delays):
    turn = iter(range(10**9))
    late = Simulation(quota, always, lambda: delays[next(turn) % len(delays)]).run(30)
    # What one look came late is used once; over ten seconds it is a tenth of that.
    assert max(late.shares(after=10)) <= quota + 0.05 + max(delays) / SPAN


@pytest.mark.parametrize(("work", "every"), [(0.38, 2.0), (0.1, 0.5), (0.01, 0.05)])
def test_who_stays_within_the_share_is_never_stopped(work, every):
    assert Simulation(0.2, lambda now: now % every < work).run(20).stops == []


def test_stops_are_short_and_many():
    stops = [end - start for start, end in Simulation(0.2, always).run(20).stops]
    assert len(stops) > 100
    assert max(stops) < 0.2


def test_who_owes_much_still_runs_a_little_now_and_then():
    owing = Duty(0.2, 0.0, 0.0, left=-1.5, stopped=True)
    simulation = Simulation(0.2, always)
    simulation.duty, simulation.due = owing, 0.0
    simulation.run(5)
    assert max(end - start for start, end in simulation.stops) <= LONGEST_STOP + 2 * GRAIN
    assert simulation.used[-1] >= SHORTEST_RUN * 5 / (LONGEST_STOP + SHORTEST_RUN) / 2


def test_a_calm_process_is_looked_at_on_the_common_beat_only():
    simulation = Simulation(0.5, lambda _: False).run(10)
    assert simulation.looks <= 10 / CALM + 2


@given(st.floats(0.01, 4), st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5)), max_size=60))
def test_the_books_stay_within_bounds_whatever_is_read(quota, readings):
    duty, now, used = begin(quota, 0.0, 0.0), 0.0, 0.0
    for passed, spent in readings:
        now, used = now + passed, used + spent
        before, (duty, until) = duty, step(duty, now, used)
        assert duty.left <= BURST
        assert before.held <= duty.held <= now
        assert until >= now


def test_a_clock_that_seems_to_go_back_gives_no_allowance():
    duty, _ = step(begin(0.2, 5.0, 3.0), 5.0, 2.0)
    assert duty.left == BURST
    assert not duty.stopped
