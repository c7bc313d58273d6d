"""Who holds an instance to its quotas: the kernel where it can, psutil where not, named either way."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from sandbox.confine.attempt import survey
from sandbox.confine.cgroup import Discovery, Tree, discover
from sandbox.confine.cgroup_dialect import HEADROOM
from sandbox.confine.cgroup_place import Place
from sandbox.confine.probe import Finding
from sandbox.spec import CellSpec, Died, Limits
from supervisor.enforcers import Enforcers, Held
from tests.sandbox.fake_cgroups import TOP, FakeVersion2
from tests.supervisor.rig import Rig
from tests.supervisor.test_main import Served
from tests.waiting import wait_until

MIB = 2**20
KILLED = Died("signal", "SIGKILL while on_tick ran", signal=signal.SIGKILL)


def granted(**limits) -> CellSpec:
    return CellSpec(
        deployment_id="a", generation=3, strategy="s", version="1", code_path="/s", account_id="x",
        trading_mode="paper", symbols=[], timeframes=[], parameters={}, market_endpoint="",
        report_endpoint="", token="", limits=Limits(**limits),
    )  # fmt: skip


class Scene:
    """Enforcers over a version 2 kernel that is a dictionary."""

    def __init__(self, *, policy="throttle", groups="auto", controllers="cpu memory pids", sees=True):
        self.kernel = FakeVersion2("/", controllers=controllers)
        base = TOP / "stratd-x"
        bases = dict.fromkeys((*controllers.split(), "cgroup"), base)
        place = Place(2, bases, enable=tuple(controllers.split()))
        if groups != "off":
            place.enter(self.kernel)
        self.folder = base / "a.3"
        self.events = []
        self.enforcers = Enforcers(
            key="x", groups=groups, cpu_policy=policy,
            note=lambda kind, detail, *_: self.events.append((kind, detail)),
            find=lambda _: Discovery(Tree(place, self.kernel), "version 2"),
            visible=lambda: Finding(sees, "" if sees else "/proc hides every strategy"),
        )  # fmt: skip

    def run(self, scenario):
        async def live():
            self.enforcers.start()
            try:
                scenario()
            finally:
                await self.enforcers.stop()

        asyncio.run(live())
        assert not [group for group in self.kernel.groups if "stratd-x" in group.parts], "nothing is left"


def test_a_cell_gets_a_group_with_its_limits_until_it_is_gone():
    scene = Scene()

    def scenario():
        with scene.enforcers.joining(granted(memory=64 * MIB, cpu=0.2, processes=9)) as descriptors:
            assert len(descriptors) == 1
        files = scene.kernel.groups[scene.folder]
        assert files["memory.max"] == str(64 * MIB + HEADROOM)
        assert (files["cpu.max"], files["pids.max"]) == ("100000 500000", "9")
        assert scene.enforcers.held_by(("a", 3)) == Held("cgroup v2", "cgroup v2")
        assert scene.enforcers.gone(("a", 3), KILLED) == KILLED
        assert scene.folder not in scene.kernel.groups

    scene.run(scenario)


def test_a_group_is_not_empty_while_somebody_is_in_it_who_is_killed_until_then():
    scene = Scene()

    def scenario():
        with scene.enforcers.joining(granted()):
            pass
        files = scene.kernel.groups[scene.folder]
        assert scene.enforcers.empty(("a", 3))
        assert "cgroup.kill" not in files
        files["cgroup.procs"] = "4242\n"
        assert not scene.enforcers.empty(("a", 3))
        assert files["cgroup.kill"] == "1"
        files["cgroup.procs"] = ""
        assert scene.enforcers.empty(("a", 3))
        assert scene.enforcers.empty(("of nobody", 1))

    scene.run(scenario)


def test_where_proc_hides_strategies_psutil_is_never_named():
    scene = Scene(groups="off", sees=False)

    def scenario():
        scene.enforcers.born(("a", 3), os.getpid(), 0.5, seen=True)  # at its birth it still was
        for instance in (None, ("a", 3)):
            assert scene.enforcers.held_by(instance) == Held("rlimit", "none")

    scene.run(scenario)
    assert scene.events == [("quotas", "/proc hides every strategy")]


def test_where_proc_hides_strategies_a_group_holds_them_as_ever():
    scene = Scene(sees=False)

    def scenario():
        with scene.enforcers.joining(granted()):
            pass
        scene.enforcers.born(("a", 3), os.getpid(), 0.5)
        assert scene.enforcers.held_by(("a", 3)) == Held("cgroup v2", "cgroup v2")

    scene.run(scenario)


def test_one_that_the_sampler_could_not_take_in_is_told_of_and_held_by_nobody_until_it_is_gone():
    scene = Scene(groups="off")

    def scenario():
        scene.enforcers.born(("a", 3), os.getpid(), 0.5, seen=False)
        assert scene.enforcers.held_by(("a", 3)) == Held("rlimit", "none")
        assert scene.enforcers.held_by(("another", 1)) == Held("rlimit+psutil", "psutil")
        scene.enforcers.gone(("a", 3), KILLED)
        assert scene.enforcers.held_by(("a", 3)) == Held("rlimit+psutil", "psutil")
        gone = subprocess.Popen(["true"])
        gone.wait()
        scene.enforcers.born(("a", 4), gone.pid, 0.5, seen=False)  # it ended: its pidfd tells

    scene.run(scenario)
    text = "its process is hidden in /proc: memory held by rlimit, processor by none"
    assert scene.events == [("limit", text)]


def test_one_that_is_to_end_is_thawed():
    scene = Scene()

    def scenario():
        with scene.enforcers.joining(granted()):
            pass
        scene.kernel.groups[scene.folder]["cgroup.freeze"] = "1"
        scene.enforcers.release(("a", 3))
        assert scene.kernel.groups[scene.folder]["cgroup.freeze"] == "0"

    scene.run(scenario)


def test_the_kernels_kill_is_the_cause_and_says_by_which():
    scene = Scene()

    def scenario():
        with scene.enforcers.joining(granted(memory=64 * MIB)):
            pass
        scene.kernel.groups[scene.folder]["memory.events"] = "low 0\noom 1\noom_kill 1\n"
        died = scene.enforcers.gone(("a", 3), KILLED)
        assert died.cause == "oom"
        assert died.detail == (
            "killed by the kernel (cgroup v2), over the quota of 64.0 MiB; SIGKILL while on_tick ran"
        )

    scene.run(scenario)


def test_another_end_keeps_its_cause_though_something_was_killed_for_memory():
    scene = Scene()

    def scenario():
        with scene.enforcers.joining(granted()):
            pass
        scene.kernel.groups[scene.folder]["memory.events"] = "oom_kill 1\n"
        hang = Died("hang", "on_tick ran longer than 2 s", signal=signal.SIGABRT)
        assert scene.enforcers.gone(("a", 3), hang) == hang

    scene.run(scenario)


def test_the_time_kept_from_the_processor_is_told():
    scene = Scene()

    def scenario():
        assert scene.enforcers.kept(("a", 3)) == 0.0
        with scene.enforcers.joining(granted()):
            pass
        scene.kernel.groups[scene.folder]["cpu.stat"] = (
            "usage_usec 9\nnr_throttled 1\nthrottled_usec 1500000\n"
        )
        assert scene.enforcers.kept(("a", 3)) == 1.5
        assert scene.enforcers.newly_kept(("a", 3), 0.04) == 0.0  # it hardly ran: not looked at
        assert scene.enforcers.newly_kept(("a", 3), 0.4) == 1.5
        assert scene.enforcers.newly_kept(("a", 3), 0.6) == 0.0

    scene.run(scenario)


def test_a_policy_that_does_not_throttle_leaves_the_share_to_the_sampler():
    scene = Scene(policy="kill")

    def scenario():
        with scene.enforcers.joining(granted(cpu=0.2)):
            pass
        assert "cpu.max" not in scene.kernel.groups[scene.folder]
        assert scene.enforcers.held_by(("a", 3)) == Held("cgroup v2", "psutil")

    scene.run(scenario)


def test_what_the_kernel_does_not_hold_is_held_by_psutil():
    scene = Scene(controllers="pids")
    scene.run(lambda: None)
    assert scene.enforcers.held_by(None) == Held("rlimit+psutil", "psutil")


def test_switched_off_nothing_is_made():
    scene = Scene(groups="off")

    def scenario():
        with scene.enforcers.joining(granted()) as descriptors:
            assert descriptors == []
        assert scene.enforcers.held_by(("a", 3)) == Held("rlimit+psutil", "psutil")

    asyncio.run(_only(scene, scenario))


async def _only(scene, scenario):
    scene.enforcers.start()
    scenario()
    await scene.enforcers.stop()


def test_a_group_that_is_refused_is_told_of_and_stops_no_start():
    scene = Scene()

    def scenario():
        scene.kernel.controllers = "pids"
        scene.kernel.groups[scene.folder.parent]["cgroup.subtree_control"] = "pids"
        with scene.enforcers.joining(granted()) as descriptors:
            assert descriptors == []
        assert scene.enforcers.held_by(("a", 3)) == Held("rlimit+psutil", "psutil")
        ((kind, detail),) = scene.events
        assert kind == "limit"
        assert "memory.max: No such file or directory" in detail

    scene.run(scenario)


def test_a_birth_that_is_refused_leaves_no_group():
    scene = Scene()

    def scenario():
        with pytest.raises(RuntimeError), scene.enforcers.joining(granted()):
            raise RuntimeError
        assert scene.folder not in scene.kernel.groups

    scene.run(scenario)


# ---- in a daemon ----------------------------------------------------------------------------------
EAT = """
    def eat():
        for number in range(4):
            with open(f"/tmp/{number}", "wb") as file:
                file.write(bytes(12 * 2**20))
    threading.Timer(0.2, eat).start()
"""
"""Memory that RLIMIT_DATA does not count and that the other layers allow: files of its scratch folder."""
SPIN = """
    def spin():
        while True:
            pass
    threading.Thread(target=spin, daemon=True).start()
"""


def groups_of(rig: Rig) -> list[Path]:
    # Of this daemon alone: another test may run beside this one.
    key = hashlib.sha256(os.fsencode(rig.base / "run")).hexdigest()[:12]
    return list(Path("/sys/fs/cgroup").glob(f"*/stratd-{key}/*.[0-9]*"))


@pytest.mark.system
def test_a_bomb_that_no_rlimit_sees_is_killed_by_the_kernel_and_said_so(rig):
    found = discover("look")
    if found.tree is None or not found.tree.holds("memory"):
        pytest.skip(f"no memory controller: {found.detail}")
    found.tree.close()
    if not survey().has("mounts"):
        pytest.skip("no scratch folder, so no memory but its own")
    rig.strategy("own-eater", head="import threading", initialize=EAT)

    async def scenario(scene):
        row = (await scene.start("own-eater", memory="24M")).deployment
        assert row.enforcer.memory == found.tree.label
        await scene.event("died", "own-eater")
        death = (await scene.port.describe("own-eater")).deaths[0]
        assert (death.cause, death.signal) == ("oom", "SIGKILL")
        assert f"killed by the kernel ({found.tree.label}), over the quota of 24.0 MiB" in death.detail
        await scene.verb("stop", "own-eater")

    rig.run(scenario)
    assert groups_of(rig) == []


@pytest.mark.alone
@pytest.mark.system
@pytest.mark.parametrize("cgroup", ["auto", "off"])
def test_a_spinner_is_held_to_its_share_and_stops_in_order(rig, cgroup):
    rig.settings += f'\n[quota]\ncgroup = "{cgroup}"\ncpu_window = 1\n'
    rig.strategy("own-spinner", head="import threading", initialize=SPIN)

    async def scenario(scene):
        row = (await scene.start("own-spinner", cpu=0.1)).deployment
        if cgroup == "off":
            assert row.enforcer.cpu == "psutil"
        warning = await scene.event("cpu_warning", "own-spinner")
        assert "held to the quota of 10%" in warning.detail
        shown = (await scene.row("own-spinner")).cpu_percent
        assert shown < 10 + 5, "over a window of one second; benchmarks/quotas.py has ten"
        await scene.verb("stop", "own-spinner")
        assert (await scene.port.describe("own-spinner")).deaths[0].cause == "operator"

    rig.run(scenario)
    assert groups_of(rig) == []


@pytest.mark.system
def test_a_daemon_that_is_killed_leaves_no_process_stopped(rig):
    rig.settings += '\n[quota]\ncgroup = "off"\ncpu = 0.02\n'
    rig.strategy("idle", head="import threading", initialize=SPIN)
    served = Served(rig)
    try:
        served.until_notice("READY=1")
        served.start("idle")
        strategy = psutil.Process(served.row("idle")["pid"])
        wait_until(lambda: strategy.status() == psutil.STATUS_STOPPED, what="stopped by the throttle")
        everything = served.tree()
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
        wait_until(lambda: not any(psutil.pid_exists(pid) for pid in everything), what="nothing left")
    finally:
        served.close()
