"""Parameters that change while a strategy runs: taken whole, once, or not at all, and remembered."""

from __future__ import annotations

from typing import Any

import pytest

from bus.messages import Parameters, TakeCheckpoint, Welcome
from strategies.differing import differing
from strategies.host import Host
from strategies.outputs import Fault, Saved
from tests.strategies.market import T0, Quiet, config


class Sized(Quiet):
    """Notes what it is told; takes no size above 10."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def initialize(self, config):
        self.told.append(("initialize", dict(config.parameters)))

    def load_state(self, state, version):
        self.told.append(("load_state", dict(self.ctx.params)))

    def on_parameters_updated(self, old, new):
        self.told.append((dict(old), dict(new), dict(self.ctx.params)))
        if new["size"] > 10:
            raise ValueError("too large")


def begun(parameters: dict[str, Any], updatable=frozenset({"size"}), **welcome: Any) -> tuple[Host, list]:
    """A host that runs, and what it says."""
    said: list = []
    host = Host(Sized(), config(parameters=parameters), update=said.append, updatable=updatable)
    host.initialize()
    host.handle(Welcome(1, T0, **welcome))
    del host.strategy.told[0]
    return host, said


def checkpoint(host: Host, said: list) -> bytes:
    host.handle(TakeCheckpoint())
    return next(one for one in reversed(said) if isinstance(one, Saved)).state


def test_new_parameters_are_in_force_and_the_strategy_is_told_once():
    host, _ = begun({"size": 1, "fast": 5})
    for _ in range(2):  # as an engine that is new says them again
        host.handle(Parameters({"size": 2, "fast": 5}))
    old, new = {"size": 1, "fast": 5}, {"size": 2, "fast": 5}
    assert [(old, new, new)] == host.strategy.told
    assert new == host.ctx.params


def test_what_the_strategy_refuses_changes_nothing_and_is_told():
    host, said = begun({"size": 1})
    assert [] == host.handle(Parameters({"size": 11}))
    assert {"size": 1} == host.ctx.params
    [fault] = [one for one in said if isinstance(one, Fault)]
    assert ("on_parameters_updated", "ValueError: too large") == (fault.callback, fault.error)
    host.handle(Parameters({"size": 3}))
    assert {"size": 3} == host.ctx.params


def test_a_set_of_other_settings_is_not_for_this_instance():
    """As a tape may hold it from before an operator gave a deployment in back-off another period."""
    host, _ = begun({"size": 1, "fast": 5})
    host.handle(Parameters({"size": 2, "fast": 4}))
    assert ([], {"size": 1, "fast": 5}) == (host.strategy.told, host.ctx.params)


def test_where_a_restart_goes_on_the_checkpoints_set_is_in_force_before_the_state_is_loaded():
    host, said = begun({"size": 1})
    host.handle(Parameters({"size": 2}))
    state = checkpoint(host, said)
    again, _ = begun({"size": 3}, state=state, recovered=True, resumes=True)
    assert [({"size": 3}, {"size": 2}, {"size": 2}), ("load_state", {"size": 2})] == again.strategy.told
    again.handle(Parameters({"size": 3}))  # from the tape, in its place
    assert {"size": 3} == again.ctx.params


def test_a_start_at_the_present_begins_with_what_is_wanted_now():
    host, said = begun({"size": 1})
    state = checkpoint(host, said)
    again, _ = begun({"size": 3}, state=state, recovered=True)
    assert [("load_state", {"size": 3})] == again.strategy.told


def test_of_a_checkpoint_of_other_settings_only_the_state_counts():
    host, said = begun({"size": 2, "fast": 5})
    state = checkpoint(host, said)
    again, _ = begun({"size": 1, "fast": 4}, state=state, recovered=True, resumes=True)
    assert [("load_state", {"size": 1, "fast": 4})] == again.strategy.told


def test_where_nothing_can_change_a_checkpoint_does_not_remember():
    host, said = begun({"size": 2}, updatable=frozenset())
    state = checkpoint(host, said)
    again, _ = begun({"size": 1}, updatable=frozenset(), state=state, recovered=True, resumes=True)
    assert [("load_state", {"size": 1})] == again.strategy.told


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({"b": [1], "a": 1}, {"b": [2], "c": 3}, ["a", "b", "c"]),
    ],
)
def test_names_that_differ(old, new, expected):
    assert expected == differing(old, new)
