"""Admission: what does not fit is refused by name and by how much, what fits never is."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.confine.cgroup_room import rooms_above
from supervisor.admission import FILES_A_CELL, FILES_RESERVE, Claim, Readings, Room, Rules, admit
from supervisor.capacity import Capacity
from tests.sandbox.test_cgroup import FakeVersion1
from tests.supervisor.rig import Rig

MIB, GIB = 2**20, 2**30
RULES = Rules()


def test_a_quota_larger_than_what_is_free_is_refused_by_how_much():
    shortage = admit(512 * MIB, [], Readings(memory=500 * MIB), RULES)
    assert shortage.rule == "host_memory"
    assert shortage.detail == (
        "its quota is 512.0 MiB and 500.0 MiB are available, of which 64.0 MiB stay free "
        "(limits.memory_reserve): 76.0 MiB short; give it a smaller quota (--memory) or stop others"
    )


def test_promises_are_held_against_what_is_free():
    others = [Claim(256 * MIB, 16 * MIB)] * 16
    assert admit(256 * MIB, others[:14], Readings(memory=GIB), RULES) is None
    shortage = admit(256 * MIB, others, Readings(memory=GIB), RULES)
    assert shortage.rule == "host_memory"
    assert "16 deployments may still take 3840.0 MiB, it 256.0 MiB" in shortage.detail
    assert "256.0 MiB short" in shortage.detail


def test_what_an_instance_has_already_is_not_counted_twice():
    full = [Claim(256 * MIB, 256 * MIB)] * 100
    assert admit(64 * MIB, full, Readings(memory=GIB), RULES) is None
    assert Claim(1, 5).growth == 0, "over its quota for a moment: no negative promise"


def test_a_host_of_two_gigabytes_holds_the_default_ten_and_many_small_ones():
    free = Readings(memory=1200 * MIB, disk=GIB)
    assert admit(256 * MIB, [Claim(256 * MIB, 8 * MIB)] * 9, free, RULES) is None
    assert admit(64 * MIB, [Claim(64 * MIB, 8 * MIB)] * 70, free, RULES) is None


@pytest.mark.parametrize(("kind", "rule"), [("files", "host_descriptors"), ("tasks", "host_tasks")])
def test_descriptors_and_tasks_are_named_with_whose_they_are(kind, rule):
    shortage = admit(MIB, [], Readings(**{kind: (Room("x", 1, 4096), Room("the engine", 1000, 1024))}), RULES)
    assert shortage.rule == rule
    assert shortage.detail.startswith("the engine has 1,000 ")


def test_the_last_descriptor_that_is_enough_is_enough():
    enough = FILES_A_CELL + FILES_RESERVE
    assert admit(MIB, [], Readings(files=(Room("x", 0, enough),)), RULES) is None
    assert admit(MIB, [], Readings(files=(Room("x", 1, enough),)), RULES).detail.endswith(
        "1 short; raise the limit or stop others"
    )


def test_a_full_disk_is_refused():
    shortage = admit(MIB, [], Readings(disk=10 * MIB), RULES)
    assert (shortage.rule, "54.0 MiB short" in shortage.detail) == ("host_disk", True)


def test_what_cannot_be_read_refuses_nothing():
    assert admit(2**50, [Claim(2**50)], Readings(), RULES) is None


@given(
    st.integers(1, 2**40), st.lists(st.builds(Claim, st.integers(0, 2**40), st.integers(0, 2**40))),
    st.integers(0, 2**42),
)  # fmt: skip
def test_more_memory_never_makes_a_start_less_possible(quota, others, memory):
    if admit(quota, others, Readings(memory=memory), RULES) is None:
        assert admit(quota, others, Readings(memory=memory + GIB), RULES) is None


# ---- read for real --------------------------------------------------------------------------------
@pytest.mark.system
def test_this_host_is_read(tmp_path):
    found = Capacity(tmp_path, lambda: {"supervisor": os.getpid(), "engine": None}, RULES).read()
    assert 0 < found.memory <= psutil.virtual_memory().total
    assert found.disk > 0
    (files,) = found.files
    assert (files.whose, files.limit) == ("the supervisor", psutil.Process().rlimit(psutil.RLIMIT_NOFILE)[0])
    assert 3 <= files.used < files.limit
    assert all(0 < room.used < room.limit for room in found.tasks)


def test_a_containers_memory_is_what_its_group_leaves():
    files = {
        "/proc/self/mountinfo": "35 31 0:32 / /m rw - cgroup cgroup rw,memory\n",
        "/proc/self/cgroup": "4:memory:/box/a\n",
        "/m/box/memory.usage_in_bytes": "900",
        "/m/box/memory.limit_in_bytes": "1000",
        "/m/box/memory.stat": "cache 400\ntotal_inactive_file 300\ntotal_active_file 100\n",
        "/m/box/a/memory.usage_in_bytes": "10",
        "/m/box/a/memory.limit_in_bytes": "9223372036854771712",
        "/m/box/a/memory.stat": "",
    }
    assert rooms_above(FakeVersion1(files)) == {
        "memory": [("the control group /m/box", 500, 1000)],
        "pids": [],
    }


def test_where_no_group_is_limited_nothing_is_in_the_way():
    assert rooms_above(FakeVersion1({})) == {"memory": [], "pids": []}


@pytest.mark.system
def test_a_start_that_the_host_cannot_hold_is_refused_and_nothing_begins():
    rig = Rig()

    async def scenario(scene):
        with pytest.raises(Exception, match=r"host_memory: its quota is .* short") as refused:
            await scene.start("big", "idle", memory="900G")
        assert refused.value.rule == "host_memory"
        assert [row.id for row in await scene.port.deployments()] == []
        await scene.start("small", "idle", memory="16M")
        assert (await scene.row("small")).state == "running"

    try:
        rig.run(scenario)
    finally:
        rig.remove()
    assert not Path(rig.base).exists()
