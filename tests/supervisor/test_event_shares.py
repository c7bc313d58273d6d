"""Too many events: whose go, who keeps theirs, and who is told."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.store import deployments, event_shares
from supervisor.store.deployments import DeploymentStore
from supervisor.store.event_shares import DAEMON, Shares, shares
from supervisor.store.tables import Event, Standing
from tests.supervisor.test_deployments import A

ROOM = 100


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(deployments, "KEEP_EVENTS", ROOM)
    store = DeploymentStore(f"sqlite:///{tmp_path / 'stratd.db'}")
    store.open()
    for name in ("noisy", "quiet"):
        store.save(replace(A, id=name), Standing())
    yield store
    store.close()


def told(store: DeploymentStore, *said: tuple[str, str]) -> None:
    """Append one event for each (deployment, kind)."""
    last = store.last_event()
    store.add_events([Event(last + n, n, kind, name, 1, "d") for n, (name, kind) in enumerate(said, 1)])


def kept(store: DeploymentStore, name: str) -> list[tuple[int, str]]:
    return [(event.seq, event.kind) for event in store.events(0, 10 * ROOM, {name: 0})]


def flood(store: DeploymentStore, name: str = "noisy", kind: str = "error", times: int = 30) -> None:
    for _ in range(times):
        told(store, *[(name, kind)] * 10)


def test_a_strategy_pushes_out_no_event_but_its_own(store):
    told(store, ("quiet", "created"), ("quiet", "error"), ("", "daemon_started"), ("noisy", "created"))
    flood(store)
    assert kept(store, "quiet") == [(1, "created"), (2, "error")]
    daemons = [event for event in store.events(0, 10 * ROOM) if not event.deployment_id]
    assert [(3, "daemon_started")] == [(event.seq, event.kind) for event in daemons]
    assert kept(store, "noisy")[0] == (4, "created"), "what was done to it is no word of its own"
    newest = store.last_event()
    assert ROOM == len(store.events(0, 10 * ROOM))
    assert list(range(newest - 95, newest + 1)) == [seq for seq, _ in kept(store, "noisy")[1:]]


def test_who_comes_back_with_an_older_number_is_told_in_its_place_and_nobody_else(store):
    told(store, ("quiet", "created"))
    flood(store)
    (stands,) = [event for event in store.events(0, 10 * ROOM) if event.kind == "events_pruned"]
    assert ("noisy", True) == (stands.deployment_id, "not kept any more" in stands.detail)
    assert stands == store.events(1, 1)[0], "the first that comes, for whoever was last told of number 1"
    newer = store.events(stands.seq, 10 * ROOM)
    assert list(range(stands.seq + 1, store.last_event() + 1)) == [event.seq for event in newer]
    assert {"error"} == {event.kind for event in newer}


def test_deployments_that_are_gone_have_one_share_together(store):
    told(store, ("quiet", "created"), *[("quiet", "error")] * 30)
    for n in range(60):
        told(store, *[(f"gone-{n}", "created")] * 5)
    assert 31 == len(kept(store, "quiet"))
    assert "events_pruned" not in {kind for _, kind in kept(store, "quiet")}


def test_the_daemons_own_events_have_a_part_that_nobody_fills_and_fill_no_other(store):
    told(store, *[("", "feed_stale")] * 20)
    flood(store)
    flood(store, "quiet")
    assert [(n, "feed_stale") for n in range(1, 21)] == [
        (event.seq, event.kind) for event in store.events(0, 20) if not event.deployment_id
    ]
    flood(store, "", "feed_stale")
    mine = [event for event in store.events(0, 10 * ROOM) if not event.deployment_id]
    assert 25 <= len(mine) <= 30
    assert 35 <= len(kept(store, "quiet")), "the rest is shared by the two others"


def test_a_daemon_that_is_often_restarted_prunes_too(store, tmp_path):
    for n in range(40):
        again = DeploymentStore(f"sqlite:///{tmp_path / 'stratd.db'}")
        again.open()
        again.add_events([Event(5 * n + m, 1, "error", "noisy", 1, "d") for m in range(1, 6)])
        again.close()
    assert ROOM == len(store.events(0, 10 * ROOM))


@given(st.dictionaries(st.sampled_from([DAEMON, *"abcdef"]), st.integers(1, 500)), st.integers(40, 400))
def test_what_is_kept_fits_and_a_fair_part_of_the_others_is_never_cut(counts, room):
    given = shares(counts, room)
    kept_of = {whose: min(given.of(whose), count) for whose, count in counts.items()}
    assert sum(kept_of.values()) <= room or sum(counts.values()) <= room
    fair = (room - room // event_shares.RESERVED) // max(1, len(counts) - (DAEMON in counts))
    for whose, count in counts.items():
        least = room // event_shares.RESERVED if whose == DAEMON else fair
        assert kept_of[whose] >= min(count, least), (whose, given)


def test_a_share_is_never_nothing():
    crowd = {f"own:{n}": 3 for n in itertools.islice(itertools.count(), 50)}
    assert Shares(1, 1) == shares({**crowd, DAEMON: 9}, 4)
