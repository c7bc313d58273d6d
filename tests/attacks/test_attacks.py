"""Every hostile act, in real cells, in three settings: contained, and nobody else is the worse for it.

All acts of a setting are committed in one run (``tests.attacks.run``), many at a time beside a well-behaved
neighbour; each test looks at one thing that the run tells.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from _pytest.mark import ParameterSet

from tests.attacks.catalogue import OWN, THEIRS, Act, acts
from tests.attacks.results import Run
from tests.attacks.stage import SETTINGS
from tests.shared import needs_shared

pytestmark = pytest.mark.system
MIB = 2**20
STRATEGY_PEAK = 400 * MIB
"""Most that a strategy may ever take where no cgroup holds it, of 256 MiB that it is granted."""
GROUP_PEAK = 300 * MIB
"""The same where one does, all kinds of memory counted."""
WARDEN_GROWTH = 16 * MIB
WARDEN_SLOTS = 64
"""Descriptors for which a process has room when it is born (NR_OPEN_DEFAULT): a warden needs no more."""
DAEMON_GROWTH = 16 * MIB
SLOWEST = 15.0
"""Seconds within which a neighbour answers beside attackers on every core, on a host that does much else. One
whom an attacker can hold up waits for as long as that one has (``arena.LONG``)."""


@pytest.fixture(params=SETTINGS)
def fought(request: pytest.FixtureRequest, run_in: Callable[..., Run]) -> Run:
    return run_in(request.param)


def fights() -> list[ParameterSet]:
    """Every act in every setting; all of one setting after those of another."""
    return [pytest.param(act, setting, id=f"{setting}-{act.name}") for setting in SETTINGS for act in acts()]


@pytest.mark.parametrize(("act", "setting"), fights())
def test_an_act_is_contained(act: Act, setting: str, run_in: Callable[..., Run]):
    result = run_in(setting).acts[act.name]
    told = "\n".join(
        [f"expected {act.expect}", f"came     {result.outcome}", f"death    {result.death}", *result.log]
    )
    assert re.search(act.expect, result.outcome), told
    assert "ESCAPED" not in result.outcome, told
    assert [] == result.left, told
    assert result.strategy_peak <= STRATEGY_PEAK, told
    assert result.group_peak <= GROUP_PEAK, told


@needs_shared("attacks")
def test_the_sample_beside_the_repository_is_among_them():
    assert len(list(THEIRS.glob("[0-9]*.py"))) >= 69


def test_at_least_sixty_acts_are_our_own():
    assert len(list(OWN.glob("[a-z]*.py"))) >= 60


def test_the_setting_is_what_it_claims(fought: Run):
    assert "" == fought.refusal
    assert ("mounts" in fought.layers) == (fought.setting != "bare")
    assert {"landlock", "seccomp", "credentials"} <= set(fought.layers)


def test_a_neighbour_answers_everything_on_time(fought: Run):
    neighbour = fought.neighbour
    assert [] == neighbour.deaths
    assert neighbour.asked == neighbour.answered
    assert neighbour.asked > 100
    assert neighbour.slowest < SLOWEST, f"slowest beside {neighbour.beside}"


def test_neither_daemon_nor_wardens_grow(fought: Run):
    assert fought.memory < DAEMON_GROWTH
    base = fought.neighbour.warden_peak
    large = {
        name: result.warden_peak // MIB
        for name, result in fought.acts.items()
        if result.warden_peak > base + WARDEN_GROWTH
    }
    assert {} == large, f"MiB; the neighbour's has {base // MIB}"
    assert {WARDEN_SLOTS} >= {result.warden_slots for result in fought.acts.values() if result.warden_slots}


def test_nothing_of_the_daemon_was_reached(fought: Run):
    assert [] == fought.harmed


def test_nothing_is_left_behind(fought: Run):
    assert [] == fought.left


def test_the_host_and_the_supervisor_are_as_before(fought: Run):
    assert [] == fought.changed


@pytest.mark.parametrize(
    ("setting", "layer", "act"),
    [
        ("userns", "seccomp", "net_every_family"),
        ("userns", "seccomp", "kern_locks_between_cells"),
        ("bare", "landlock", "fs_truncate_and_preallocate"),
    ],
)
def test_an_act_gets_through_where_its_layer_is_missing(
    setting: str, layer: str, act: str, run_in: Callable[..., Run]
):
    """Else these tests could not fail: in cells that lack one layer, and are cells in all other respects."""
    run = run_in(setting, f"without={layer}", act)
    assert layer not in run.layers
    assert "ESCAPED" in run.acts[act].outcome
    assert bool(run.harmed) == act.startswith("fs_")
