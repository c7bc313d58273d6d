"""Quotas: the memory rule of LEAN, strikes of fresh CPU samples, slots counted from lives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.life import Life, State
from supervisor.quota import Limits, Sample, Usage, admit, holds_slot

MIB = 2**20


def feed(usage: Usage, *samples: tuple[float, float, int]):
    return [finding.kind for at, cpu, rss in samples for finding in usage.add(Sample(at, cpu, rss))]


def memory(usage: Usage, *sizes: int, start: int = 0):
    return feed(usage, *((start + n, 0.0, size * MIB) for n, size in enumerate(sizes)))


def test_one_sample_over_twice_the_cap_is_a_breach():
    assert memory(Usage(memory=100 * MIB, cpu=1.0), 50, 201) == ["memory_quota"]


def test_a_sample_below_twice_the_cap_is_forgiven_and_a_minute_of_them_is_not():
    usage = Usage(memory=100 * MIB, cpu=1.0)
    assert memory(usage, *[150] * 40) == ["memory_warning"], "the missing samples count as zero"
    assert memory(usage, 150, start=40) == ["memory_quota"]


@pytest.mark.parametrize("rate", [1, 4, 10])
def test_a_minute_is_a_minute_at_any_rate(rate):
    usage = Usage(memory=100 * MIB, cpu=1.0)
    over = (n / rate for n in range(rate * 60) if "memory_quota" in feed(usage, (n / rate, None, 150 * MIB)))
    assert next(over) == pytest.approx(40.0, abs=1.0), (
        "two thirds of a minute at one and a half times the cap"
    )


def test_what_nobody_saw_does_not_count():
    usage = Usage(memory=100 * MIB, cpu=1.0)
    assert memory(usage, 150) == ["memory_warning"]
    assert feed(usage, (59.0, None, 150 * MIB)) == [], "one sample after a gap of a minute is one second"


def test_the_average_covers_a_minute_and_no_more():
    usage = Usage(memory=100 * MIB, cpu=1.0)
    memory(usage, *[10] * 60)
    assert memory(usage, *[150] * 38, start=60) == ["memory_warning"]
    assert memory(usage, 150, start=98) == ["memory_quota"]


def test_the_warning_at_four_fifths_comes_again_only_after_falling_below():
    usage = Usage(memory=100 * MIB, cpu=1.0)
    assert memory(usage, 80, 81, 95) == ["memory_warning"]
    assert memory(usage, 79, 81, start=3) == ["memory_warning"]


def test_what_is_found_names_the_size_and_the_quota():
    (finding,) = Usage(memory=10 * MIB, cpu=1.0).add(Sample(0.0, 0.0, 21 * MIB))
    assert finding.detail == "21.0 MiB resident, over twice the quota of 10.0 MiB"


def test_the_first_reading_is_a_baseline_and_never_a_share():
    usage = Usage(memory=MIB, cpu=0.1)
    assert feed(usage, (0.0, 5000.0, 0)) == []
    assert usage.cpu_share is None
    assert feed(usage, (1.0, 5000.05, 0)) == []
    assert usage.cpu_share == pytest.approx(0.05)


def spinning(usage: Usage, first: int, last: int, share: float = 1.0):
    return feed(usage, *((n, n * share, 0) for n in range(first, last + 1)))


def test_a_full_window_and_three_fresh_samples_make_a_cpu_breach():
    usage = Usage(memory=MIB, cpu=0.5, window=10.0)
    assert spinning(usage, 0, 11) == [], "two strikes: the window is full from the eleventh reading on"
    assert feed(usage, (11, 11.0, 0)) == [], "the same reading again is not fresh"
    assert spinning(usage, 12, 12) == ["cpu_quota"]


def test_a_burst_shorter_than_the_window_allows_is_no_breach():
    usage = Usage(memory=MIB, cpu=0.5, window=10.0)
    assert feed(usage, *((n, 4.0 * (n > 5), 0) for n in range(40))) == []
    assert usage.cpu_share == 0.0, "the burst has left the window"


def test_a_calm_window_clears_the_strikes():
    usage = Usage(memory=MIB, cpu=0.5, window=1.0)
    assert feed(usage, (0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 2.1, 0), (4, 3.1, 0), (5, 4.1, 0)) == []
    assert feed(usage, (6, 5.1, 0)) == ["cpu_quota"]


def test_a_share_at_the_quota_is_no_breach():
    assert spinning(Usage(memory=MIB, cpu=0.2), 0, 60, share=0.2) == []


def test_without_leave_to_kill_a_spin_is_warned_of_once():
    assert spinning(Usage(memory=MIB, cpu=0.2, cpu_policy="warn"), 0, 40) == ["cpu_warning"]


def test_who_is_held_to_the_share_is_told_of_once_and_not_ended():
    usage = Usage(memory=MIB, cpu=0.2, cpu_policy="throttle")
    assert spinning(usage, 0, 40, share=0.2) == ["cpu_warning"]
    assert memory(usage, 3, start=41) == ["memory_quota"], "and its memory is judged as ever"


def test_samples_of_memory_alone_do_not_blur_the_share():
    usage = Usage(memory=MIB, cpu=0.5)
    feed(usage, *((n / 4, n / 4 * 0.3 if n % 4 == 0 else None, 0) for n in range(80)))
    assert usage.cpu_share == pytest.approx(0.3)


@given(st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 10), st.integers(0, 2**40)), max_size=100))
def test_no_share_is_negative_and_the_peak_is_the_largest(steps):
    usage, at, cpu = Usage(memory=2**39, cpu=0.5), 0.0, 0.0
    for span, spent, rss in steps:
        at, cpu = at + span, cpu + spent
        usage.add(Sample(at, cpu, rss))
        assert usage.cpu_share is None or usage.cpu_share >= 0
    assert usage.peak == max((rss for *_, rss in steps), default=0)


@pytest.mark.parametrize("state", list(State))
def test_a_slot_is_held_by_the_living_and_by_those_about_to_return(state):
    free = {State.REGISTERED, State.STOPPED, State.FAILED, State.QUARANTINED}
    assert holds_slot(Life(state=state)) == (state not in free)


def lives(*pairs):
    return [(account, Life(state=state)) for account, state in pairs]


def test_the_one_too_many_is_refused_by_the_rule_that_says_so():
    limits = Limits(max_concurrent=3, max_per_account=2)
    two = lives(("a", State.RUNNING), ("a", State.BACKOFF))
    assert admit("a", two, limits).rule == "max_per_account"
    assert admit("b", two, limits) is None
    three = two + lives(("b", State.PAUSED))
    assert admit("c", three, limits).rule == "max_concurrent"
    assert "MAX_CONCURRENT_STRATEGIES" in admit("c", three, limits).detail


@pytest.mark.parametrize("state", [State.STOPPED, State.FAILED, State.QUARANTINED])
def test_death_of_any_kind_frees_the_slot(state):
    assert admit("a", lives(("a", state)), Limits(max_concurrent=1, max_per_account=1)) is None
