"""Who is told to pause, to go on or to begin anew when a feed turns."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from supervisor import life as lf
from supervisor.control import FeedTurned
from supervisor.dependants import Dependants


class Actor(SimpleNamespace):
    """What is looked at of an actor, and what it was told."""

    def __init__(self, name: str, symbol: str, life: lf.Life) -> None:
        super().__init__(id=name, deployment=SimpleNamespace(symbols=[symbol]), life=life, told=[])

    def submit(self, event: lf.Event) -> None:
        self.told.append(event)


RUNS = lf.Life(state=lf.State.RUNNING, wanted=lf.Wanted.RUNNING, generation=1, instance=1)
LOST = FeedTurned("main", healthy=False, detail="gone", symbols=["EURUSD", "USDJPY"])
BACK = FeedTurned("main", healthy=True, detail="healthy", symbols=["EURUSD"])


def actors() -> dict[str, Actor]:
    made = (
        Actor("reads", "EURUSD", RUNS),
        Actor("reads other", "GBPUSD", RUNS),
        Actor("stopped", "EURUSD", lf.Life(state=lf.State.STOPPED, generation=1)),
    )
    return {one.id: one for one in made}


def told(known: dict[str, Actor]) -> dict[str, list[lf.Event]]:
    return {name: one.told for name, one in known.items() if one.told}


def test_those_who_read_a_lost_feed_are_paused_and_go_on_when_it_is_back():
    known = actors()
    dependants = Dependants(known, {"main": "pause"})
    dependants.on_turn(LOST)
    assert told(known) == {"reads": [lf.Suspend("main", "feed main is lost: gone")]}
    dependants.on_turn(BACK)
    dependants.on_turn(BACK)
    assert known["reads"].told[1:] == [lf.Release("main", "feed main is back")]


def test_or_are_begun_anew_when_it_is_back_if_they_still_run():
    known = actors()
    dependants = Dependants(known, {"main": "restart"})
    dependants.on_turn(LOST)
    assert told(known) == {}
    dependants.on_turn(BACK)
    back = "feed main is back"
    assert told(known) == {"reads": [lf.Release("main", back), lf.Restart("daemon", back)]}
    dependants.on_turn(LOST)
    known["reads"].life = known["stopped"].life
    dependants.on_turn(BACK)
    assert known["reads"].told[2:] == [lf.Release("main", back)]


def test_one_that_was_paused_goes_on_although_the_policy_is_another_by_now():
    known = actors()
    policies = {"main": "pause"}
    dependants = Dependants(known, policies)
    dependants.on_turn(LOST)
    policies.clear()
    dependants.on_turn(BACK)
    assert known["reads"].told[1:] == [lf.Release("main", "feed main is back")]


@pytest.mark.parametrize("policies", [{"main": "tell"}, {}, {"other": "pause"}])
def test_or_nothing_follows(policies):
    known = actors()
    dependants = Dependants(known, policies)
    dependants.on_turn(LOST)
    dependants.on_turn(BACK)
    assert told(known) == {}


def test_one_that_was_removed_meanwhile_is_passed_over():
    known = actors()
    dependants = Dependants(known, {"main": "pause"})
    dependants.on_turn(LOST)
    del known["reads"]
    dependants.on_turn(BACK)


def test_those_whom_a_daemon_before_this_one_paused_go_on_too():
    """It was lost, and they were, before anybody could have been told here."""
    known = actors()
    known["reads other"].life = lf.Life(wanted=lf.Wanted.RUNNING, generation=1, suspended="main")
    for policy in ("pause", "restart", "tell"):
        known["reads other"].told.clear()
        Dependants(known, {"main": policy}).on_turn(BACK)
        assert told(known) == {"reads other": [lf.Release("main", "feed main is back")]}


def test_who_waits_for_a_feed_that_is_configured_no_more_goes_on():
    known = actors()
    known["reads"].life = lf.Life(wanted=lf.Wanted.RUNNING, generation=1, suspended="main")
    Dependants(known, {"main": "tell"}).let_go()
    assert told(known) == {}
    Dependants(known, {"other": "pause"}).let_go()
    assert told(known) == {"reads": [lf.Release("main", "there is no feed main any more")]}
