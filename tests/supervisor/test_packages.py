"""A real daemon, a real uv, a folder of wheels: strategies that need packages, and what becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

import pytest

from cli import render
from supervisor.errors import Failed, Refused
from supervisor.packages import install
from supervisor.packages.plan import Bounds, Source
from supervisor.packages.store import PackageStore, find_uv
from supervisor.schema import Selection
from supervisor.validation import validate
from tests.packages.wheelhouse import build_wheel, pinned
from tests.supervisor.rig import Rig, Scene
from tests.waiting import until

pytestmark = pytest.mark.system
SECTION = '\n[packages]\nwheelhouse = "{base}/wheels"\n'


@pytest.fixture
def rig():
    rig = Rig()
    rig.settings += SECTION
    (rig.base / "wheels").mkdir()
    yield rig
    with contextlib.suppress(FileNotFoundError):
        install.remove(rig.base / "state" / "packages")
    rig.remove()


def wheel(rig: Rig, name: str, files=None) -> str:
    return pinned(build_wheel(rig.base / "wheels", name, files or {f"{name}.py": "ANSWER = 42\n"}))


def needing(rig: Rig, name: str, *lines: str, initialize: str = "pass", head: str = "") -> None:
    folder = rig.strategy(name, initialize=initialize, head=head)
    (folder / "requirements.txt").write_text("".join(lines))


def fake_uv(rig: Rig, monkeypatch, body: str) -> None:
    uv = rig.base / "uv"
    head = "import os, sys, time\nsite = sys.argv[sys.argv.index('--target') + 1]"
    uv.write_text(f"#!{sys.executable}\n{head}\n{body}\n")
    uv.chmod(0o755)
    monkeypatch.setattr("supervisor.installing.find_uv", lambda: str(uv))


async def log_of(scene: Scene, name: str) -> list[str]:
    return [line.text async for line in await scene.port.logs(name, n=100, follow=False)]


def test_a_strategy_finds_what_its_lock_names_and_others_do_not(rig):
    needing(
        rig,
        "needs",
        wheel(rig, "good"),
        head="import good",
        initialize="print('good is', good.ANSWER, good.__file__)",
    )
    rig.strategy("lacks", head="import good")

    async def scenario(scene: Scene):
        assert (await scene.start("a", "needs")).deployment.state == "running"
        said = "good is 42 /packages/good.py"
        await until(lambda: has_said(scene, "a", said), what=said)
        assert "1 package (good)" == (await scene.event("installing", "a")).detail
        assert "MiB" in (await scene.event("installed", "a")).detail
        with pytest.raises(Failed, match="No module named 'good'"):
            await scene.start("b", "lacks")
        described = (await scene.port.describe("a")).packages
        assert described is not None
        assert (1, ["good"], True) == (described.count, described.names, described.installed)
        shown = render.describe(await scene.port.describe("a"))
        assert f"1 ({described.key[:12]}): good" in shown
        assert (rig.base / "state" / "packages" / described.key / "site" / "good.py").exists()
        assert (await scene.port.describe("b")).packages is None

    rig.run(scenario)


async def has_said(scene: Scene, name: str, text: str) -> bool:
    return text in await log_of(scene, name)


def test_deployments_of_one_lock_share_one_installation_that_the_next_daemon_finds(rig, monkeypatch):
    runs = rig.base / "runs"
    fake_uv(
        rig,
        monkeypatch,
        f"open({str(runs)!r}, 'a').write('x')\ntime.sleep(0.2)\nopen(site + '/good.py', 'w')",
    )
    line = wheel(rig, "good")
    needing(rig, "one", line, head="import good")
    needing(rig, "two", "# the same\n", line, head="import good")

    async def first(scene: Scene):
        await asyncio.gather(*(scene.start(f"d{n}", "one" if n % 2 else "two") for n in range(4)))
        assert "x" == runs.read_text()
        await scene.verb("restart", "d0")
        assert "x" == runs.read_text()

    async def second(scene: Scene):
        for n in range(4):
            await scene.state(f"d{n}", "running")
        assert "x" == runs.read_text()

    rig.run(first)
    rig.run(second)


def test_without_a_source_a_strategy_that_needs_packages_is_refused_by_name(rig):
    rig.settings = rig.settings.replace(SECTION, "")
    needing(rig, "needs", wheel(rig, "good"))

    async def scenario(scene: Scene):
        with pytest.raises(Refused) as caught:
            await scene.start("a", "needs")
        assert "packages" == caught.value.rule
        assert (
            "needs@1.0.0: it needs 1 package (good), and this daemon installs none; where from is said by "
            "[packages] index = URL or wheelhouse = FOLDER"
        ) == caught.value.detail
        assert [] == await scene.port.deployments()

    rig.run(scenario)


def test_without_uv_it_is_refused_with_the_cure(rig, monkeypatch):
    monkeypatch.setattr("supervisor.installing.find_uv", lambda: None)
    needing(rig, "needs", wheel(rig, "good"))

    async def scenario(scene: Scene):
        with pytest.raises(
            Refused, match=r"uv, which installs them, is missing: pip install 'stratd\[packages\]'"
        ):
            await scene.start("a", "needs")

    rig.run(scenario)


def test_what_cannot_be_installed_fails_with_one_line_and_what_uv_said(rig):
    needing(rig, "needs", f"absent==3.1 --hash=sha256:{'0' * 64}\n")

    async def scenario(scene: Scene):
        with pytest.raises(Failed) as caught:
            await scene.start("a", "needs")
        assert "a did not start, it is failed: load_error: its packages cannot be installed: " in str(
            caught.value
        )
        assert "absent==3.1" in str(caught.value)
        assert "\n" not in str(caught.value)
        death = (await scene.port.describe("a")).deaths[0]
        assert "load_error" == death.cause
        assert any(line.startswith("[stratd] error: ") for line in death.log_tail)
        assert (await scene.row("a")).restarts == 0

    rig.run(scenario)


def held_installation(rig, monkeypatch) -> Path:
    """Let the strategy "needs" need a package that is installed once the returned file is there."""
    go = rig.base / "go"
    fake_uv(
        rig,
        monkeypatch,
        f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\nopen(site + '/good.py', 'w')",
    )
    needing(rig, "needs", wheel(rig, "good"), head="import good")
    return go


def test_while_packages_are_installed_it_is_starting_and_the_daemon_answers(rig, monkeypatch):
    go = held_installation(rig, monkeypatch)

    async def scenario(scene: Scene):
        await scene.start("a", "needs", wait=False)
        row = await scene.until(lambda: reason_of(scene, "a"), "a reason")
        assert ("starting", "installing 1 package (good)") == (row.state, row.reason)
        assert (await scene.start("b", "idle")).deployment.state == "running"
        go.touch()
        assert (await scene.state("a", "running")).reason == ""

    rig.run(scenario)


async def reason_of(scene: Scene, name: str):
    row = await scene.row(name)
    return row if row.reason else None


@pytest.mark.parametrize("now", [False, True])
def test_one_that_is_stopped_while_packages_are_installed_stops_at_once_with_the_installation(
    rig, monkeypatch, now
):
    fake_uv(rig, monkeypatch, "time.sleep(600)")
    needing(rig, "needs", wheel(rig, "good"))

    async def scenario(scene: Scene):
        await scene.start("a", "needs", wait=False)
        folder = rig.base / "state" / "packages"
        await until(lambda: there(folder), what="the installation")
        outcome = await scene.verb("stop", "a", now=now)
        assert ("stopped", None) == (outcome.state, outcome.problem)
        await until(lambda: gone(folder), what="an empty folder")
        assert (await scene.port.remove(Selection(ids=["a"]))).outcomes[0].problem is None

    rig.run(scenario)


async def there(folder: Path) -> bool:
    return bool(os.listdir(folder))  # noqa: PTH208 - the linter takes a Path's look for a slow one


async def gone(folder: Path) -> bool:
    return not os.listdir(folder)  # noqa: PTH208 - as above


def test_a_daemon_that_stops_does_not_wait_for_packages_and_installs_them_when_it_is_back(rig, monkeypatch):
    go = held_installation(rig, monkeypatch)

    async def first(scene: Scene):
        await scene.start("a", "needs", wait=False)
        await until(lambda: there(rig.base / "state" / "packages"), what="the installation")

    async def second(scene: Scene):
        await scene.state("a", "starting")
        go.touch()
        await scene.state("a", "running")

    rig.run(first)
    assert [] == list((rig.base / "state" / "packages").iterdir())
    rig.run(second)


def test_a_changed_lock_is_installed_at_the_next_start(rig):
    needing(rig, "needs", wheel(rig, "good"), head="import good")

    async def scenario(scene: Scene):
        await scene.start("a", "needs")
        first = (await scene.port.describe("a")).packages
        needing(rig, "needs", wheel(rig, "good"), wheel(rig, "more"), head="import more")
        await scene.port.rescan()
        assert (await scene.verb("restart", "a")).state == "running"
        second = (await scene.port.describe("a")).packages
        assert first is not None
        assert second is not None
        assert (1, 2) == (first.count, second.count)
        assert first.key != second.key

    rig.run(scenario)


# ---- without a daemon -------------------------------------------------------------------------------
def trial(rig: Rig, name: str, source: Source | None = None):
    """Validate a strategy as the command does, with a cache of its own."""
    source = source or Source(wheelhouse=str(rig.base / "wheels"))
    packages = PackageStore(rig.base / "state" / "packages", source, Bounds(), uv=find_uv())
    report = validate(rig.base / "strategies" / name, {}, trust=True, packages=packages)
    return {step.name: (step.ok, step.detail) for step in report.steps}


def test_validate_installs_what_it_needs_and_tries_the_code_with_it(rig):
    needing(rig, "needs", wheel(rig, "good"), initialize="import good; assert good.ANSWER == 42")
    steps = trial(rig, "needs")
    assert (True, "1 package (good)") == steps["packages"]
    assert steps["sandbox"][0], steps


def test_validate_says_what_cannot_be_installed_and_tries_nothing(rig):
    needing(rig, "needs", f"absent==3.1 --hash=sha256:{'0' * 64}\n")
    steps = trial(rig, "needs")
    assert not steps["packages"][0]
    assert "absent==3.1" in steps["packages"][1]
    assert "sandbox" not in steps
    steps = trial(rig, "needs", Source())
    assert "this daemon installs none" in steps["packages"][1]


# ---- in the cell ------------------------------------------------------------------------------------
def test_packages_take_the_place_of_nothing_and_cannot_be_changed(rig):
    """Modules named like ours, like the library's and like numpy; a .pth file; every way to write."""
    hostile = "raise RuntimeError('a package took the place of another')\n"
    names = ("bus", "strategies", "sandbox", "numpy", "msgspec", "msgpack", "json", "random", "sitecustomize")
    files = {f"{name}/__init__.py": hostile for name in names} | {
        "good.py": "ANSWER = 42\n",
        "evil.pth": "import sys; sys.was_run = True\n",
    }
    head = """
        import errno, importlib, json, os, random, sys
        import numpy, msgspec, msgpack, good
        from bus.messages import Signal
        import strategies.indicators

        def refused(call, *arguments):
            try:
                call(*arguments)
            except OSError as error:
                return errno.errorcode[error.errno]
            return "done"
    """
    initialize = """
        where = os.path.dirname(good.__file__)
        print("pth", hasattr(sys, "was_run"), "last", sys.path[-1] == where)
        print("write", refused(open, good.__file__, "w"), refused(open, where + "/new", "w"))
        print("change", refused(os.unlink, good.__file__), refused(os.rename, good.__file__, where + "/x"),
              refused(os.chmod, good.__file__, 0o666), refused(os.mkdir, where + "/d"))
    """
    needing(rig, "needs", wheel(rig, "good", files), head=head, initialize=initialize)

    async def scenario(scene: Scene):
        await scene.start("a", "needs")
        await until(lambda: has_begun(scene, "a", "change "), what="its last word")
        said = [line for line in await log_of(scene, "a") if line.split()[0] in {"pth", "write", "change"}]
        assert "pth False last True" == said[0]
        assert "done" not in " ".join(said)

    rig.run(scenario)


async def has_begun(scene: Scene, name: str, text: str) -> bool:
    return any(line.startswith(text) for line in await log_of(scene, name))
