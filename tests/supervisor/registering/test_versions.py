"""Which version a name means."""

from __future__ import annotations

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from supervisor.registering.versions import active, undone_by_rollback
from supervisor.store.code_versions import Activation

KNOWN = {("a", version) for version in "123"} | {("b", "1")}


def history(*versions: str) -> list[Activation]:
    return [
        Activation(number=number, name="a", version=version, at=number, by="me")
        for number, version in enumerate(versions)
    ]


def numbers(*versions: str) -> list[int]:
    return [one.number for one in undone_by_rollback(history(*versions), KNOWN, "a")]


def test_the_last_one_that_was_made_active_is():
    assert active(history("1", "3", "2"), KNOWN) == {"a": "2"}


def test_one_that_is_gone_is_not_what_a_name_means():
    assert active(history("1", "9"), KNOWN) == {"a": "1"}


def test_a_rollback_takes_back_what_followed_another_version():
    assert numbers("1", "2") == [1]
    assert numbers("1", "2", "2") == [1, 2]
    assert numbers("1", "2", "9", "3") == [3]


def test_there_is_nothing_before_the_first():
    assert (numbers(), numbers("1"), numbers("1", "1"), numbers("9", "1")) == ([], [], [], [])


@given(st.lists(st.sampled_from("123"), max_size=12))
def test_rollbacks_go_back_one_version_each_and_end(versions):
    told = history(*versions)
    before = [one for one, _ in groupby(versions)]
    while gone := undone_by_rollback(told, KNOWN, "a"):
        told = [one for one in told if one not in gone]
        before.pop()
        assert active(told, KNOWN) == {"a": before[-1]}
    assert len(before) <= 1
