"""What makes a daemon unready, and what is only told of."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from supervisor.readiness import Found, judge
from supervisor.schema import FeedView, MirrorView

FEED = FeedView(name="main", format="native", endpoint="tcp://x", mode="connect", state="healthy", lag_ms=0.5)
SOUND = Found(
    engine=True,
    cells=True,
    database="",
    disk_free=2**33,
    disk_reserve=2**26,
    mirror=MirrorView(),
    feeds=[FEED],
    routes={"gate": ""},
    closed="",
)


def wrong(found: Found) -> dict[str, str]:
    return {one.name: one.detail for one in judge(found).checks if not one.ok}


def test_a_daemon_that_has_everything_is_ready_and_says_so_of_each_thing():
    assert judge(SOUND).ready
    assert {one.name: one.detail for one in judge(SOUND).checks} == {
        "engine": "it answers",
        "cells": "new ones can be born",
        "database": "it is written",
        "disk": "8192.0 MiB free, 64.0 MiB stay free (limits.disk_reserve)",
        "starts": "they are taken",
        "redis": "no mirror is configured",
        "feed main": "it is healthy, 0.5 ms behind",
        "route gate": "it is open",
    }


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"engine": False}, "engine"),
        ({"cells": False}, "cells"),
        ({"database": "disk I/O error"}, "database"),
        ({"disk_free": 2**25}, "disk"),
        ({"closed": "the daemon is stopping"}, "starts"),
    ],
)
def test_what_is_needed_makes_it_unready(change, name):
    found = replace(SOUND, **change)
    assert (judge(found).ready, list(wrong(found))) == (False, [name])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"mirror": MirrorView(state="down", lag=1200, detail="connection refused")},
            {"redis": "connection refused, 1,200 records behind"},
        ),
        (
            {"feeds": [FEED.model_copy(update={"state": "disconnected", "lag_ms": None})]},
            {"feed main": "it is disconnected"},
        ),
        ({"routes": {"gate": "it answers nothing"}}, {"route gate": "it answers nothing"}),
    ],
)
def test_what_is_not_needed_is_told_and_changes_nothing(change, told):
    found = replace(SOUND, **change)
    assert (judge(found).ready, wrong(found)) == (True, told)


def test_a_disk_that_cannot_be_read_is_not_taken_for_a_full_one():
    assert judge(replace(SOUND, disk_free=None)).ready
