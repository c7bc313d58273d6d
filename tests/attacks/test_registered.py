"""Hostile acts handed to a daemon as source, over HTTP: refused with a reason, or taken and harmless.

One daemon a setting (``tests.attacks.over_http``). Here each act is handed in once, in one of the settings,
awake or asleep; ``make attacks`` hands in every act in every setting, both ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.attacks.catalogue import Act, acts
from tests.attacks.over_http import tasks
from tests.attacks.results import Registered
from tests.attacks.stage import SETTINGS
from tests.shared import needs_shared

pytestmark = [pytest.mark.system, needs_shared("attacks")]
PLACE = r"strategy\.py:\d+: "
REFUSAL = re.compile(
    rf"(decoding|syntax|strategy class|import|initialize|smoke run): ({PLACE}.+|"
    # Who is dead says no line: its callback is named, or what was wrong with its words.
    r"(hang|exit|signal|oom): .*\bon_tick\b.*|protocol: a datagram of .+)"
)
CAUSES = ("hang", "oom", "signal", "exit", "error", "protocol", "flood")


@pytest.fixture(params=SETTINGS)
def handed(request: pytest.FixtureRequest, registered_in: Callable[[str], Registered]) -> Registered:
    return registered_in(request.param)


def test_each_act_is_handed_in_once_and_all_of_them_both_ways_where_that_is_asked_for():
    theirs = {act.name for act in acts() if not act.own}
    shares = [{task.act.name for task in tasks(setting, [])} for setting in SETTINGS]
    assert theirs == set().union(*shares)
    assert len(theirs) == sum(map(len, shares))
    assert 2 * len(theirs) == len(tasks("bare", ["every"]))


def test_what_is_refused_is_told_the_step_and_the_place(handed: Registered):
    refused = {name: one.said for name, tried in handed.acts.items() for one in tried if one.status != 201}
    assert refused, "acts that strike in the check are refused"
    assert {} == {name: said for name, said in refused.items() if not REFUSAL.fullmatch(said)}


def test_only_what_strikes_in_the_check_is_refused(handed: Registered):
    asleep = [one for tried in handed.acts.values() for one in tried if not one.awake]
    assert asleep
    assert {201} == {one.status for one in asleep}, [one.said for one in asleep]


def test_what_is_taken_does_what_is_expected_of_it_and_no_harm(handed: Registered):
    known: dict[str, Act] = {act.name: act for act in acts()}
    wrong = [
        (name, one.outcome, one.death, one.log)
        for name, tried in handed.acts.items()
        for one in tried
        if one.status == 201 and (not re.search(known[name].expect, one.outcome) or "ESCAPED" in one.outcome)
    ]
    assert [] == wrong


def test_every_death_has_its_cause(handed: Registered):
    deaths = [one.death for tried in handed.acts.values() for one in tried if one.death]
    assert deaths
    assert [] == [death for death in deaths if death.partition(":")[0] not in CAUSES]


def test_the_daemon_and_the_neighbour_live_and_nothing_of_theirs_was_reached(handed: Registered):
    assert ([], [], []) == (handed.daemon, handed.neighbour, handed.harmed)


def test_the_host_is_as_before_and_nothing_is_left(handed: Registered):
    assert ([], []) == (handed.changed, handed.left)
