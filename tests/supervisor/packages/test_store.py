"""Who asks for packages on the daemon's loop: one installation a lock, given up with the last who waits."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from pathlib import Path

import pytest

from strategies.requirements import Lock, parse
from supervisor.packages import install, plan, store
from supervisor.packages.install import InstallFailed
from supervisor.packages.store import PackageStore
from tests.packages.wheelhouse import build_wheel, pinned
from tests.waiting import turn, until

pytestmark = pytest.mark.system


class Shop:
    """A store whose uv is a script: ``body`` runs with ``site`` set, and is counted."""

    def __init__(self, base: Path, body: str) -> None:
        self.runs = base / "runs"
        self.runs.touch()
        uv = base / "uv"
        uv.write_text(
            f"#!{sys.executable}\nimport os, sys, time\nsite = sys.argv[sys.argv.index('--target') + 1]\n"
            f"open({str(self.runs)!r}, 'a').write(site + '\\n')\n{body}\n"
        )
        uv.chmod(0o755)
        self.folder = base / "packages"
        self.bounds = plan.Bounds(timeout=60)
        self.kept: set[str] = set()
        source = plan.Source(wheelhouse=str(base))
        self.store = PackageStore(self.folder, source, self.bounds, uv=str(uv), kept=lambda: set(self.kept))

    @property
    def started(self) -> int:
        return len(self.runs.read_text().splitlines())

    def live(self, scenario) -> None:
        async def whole() -> None:
            await self.store.start()
            try:
                await asyncio.wait_for(scenario(), 60)
            finally:
                await self.store.close()

        asyncio.run(whole())


@pytest.fixture
def shop(tmp_path):
    made = []

    def make(body: str = "open(site + '/mine.py', 'w')") -> Shop:
        made.append(Shop(tmp_path, body))
        return made[-1]

    yield make
    for one in made:
        install.remove(one.folder)


def lock(name: str = "mine") -> Lock:
    found = parse(f"{name}==1 --hash=sha256:{'a' * 64}", [])
    assert found is not None
    return found


def test_all_who_ask_for_the_same_wait_for_one_installation(shop):
    one = shop("time.sleep(0.2)\nopen(site + '/mine.py', 'w')")

    async def scenario() -> None:
        assert one.store.find(lock()) is None
        assert not one.store.has(lock())
        weights = await asyncio.gather(*(one.store.ensure(lock()) for _ in range(20)))
        assert {2} == {weight.files for weight in weights}  # mine.py and requirements.txt
        assert 1 == one.started
        assert one.folder / one.store.key(lock()) / "site" == one.store.find(lock())
        await one.store.ensure(lock())
        assert 1 == one.started

    one.live(scenario)


def test_all_of_them_hear_why_it_failed_and_the_next_tries_again(shop):
    one = shop("print('error: no such thing')\nsys.exit(1)")

    async def scenario() -> None:
        results = await asyncio.gather(*(one.store.ensure(lock()) for _ in range(5)), return_exceptions=True)
        assert {"its packages cannot be installed: no such thing"} == {str(error) for error in results}
        assert 1 == one.started
        with pytest.raises(InstallFailed):
            await one.store.ensure(lock())
        assert 2 == one.started
        assert one.store.find(lock()) is None

    one.live(scenario)


def test_it_is_given_up_with_the_last_who_waits_and_not_before(shop):
    one = shop("time.sleep(600)")

    async def scenario() -> None:
        first, second = (asyncio.create_task(one.store.ensure(lock())) for _ in range(2))
        await until(begun(one), what="the installation")
        first.cancel()
        await asyncio.wait({first})
        assert not await empty(one.folder)
        second.cancel()
        await asyncio.wait({second})
        await until(lambda: empty(one.folder), what="an empty folder")

    one.live(scenario)


def test_who_asks_while_another_one_is_being_given_up_gets_an_installation_of_its_own(shop, tmp_path):
    go = tmp_path / "go"
    one = shop(f"while not os.path.exists({str(go)!r}): time.sleep(0.01)\nopen(site + '/mine.py', 'w')")

    async def scenario() -> None:
        first = asyncio.create_task(one.store.ensure(lock()))
        await until(begun(one), what="the installation")
        first.cancel()
        await asyncio.wait({first})
        go.touch()
        assert 2 == (await one.store.ensure(lock())).files

    one.live(scenario)


def test_closing_ends_every_installation(shop):
    one = shop("time.sleep(600)")
    failed: list[BaseException] = []

    async def scenario() -> None:
        async def ask(name: str) -> None:
            try:
                await one.store.ensure(lock(name))
            except InstallFailed as error:
                failed.append(error)

        asked = [asyncio.create_task(ask(name)) for name in ("a", "b", "c")]
        await until(begun(one, 2), what="the installations")
        await one.store.close()
        await asyncio.wait(asked)

    one.live(scenario)
    assert 3 == len(failed)
    assert [] == list(one.folder.iterdir())


def test_the_loop_turns_while_packages_are_installed(shop):
    one = shop("time.sleep(0.3)")

    async def scenario() -> None:
        turns = 0
        asked = asyncio.create_task(one.store.ensure(lock()))
        while not asked.done():
            await turn()
            turns += 1
        assert turns > 100

    one.live(scenario)


def test_more_patience_is_needed_the_more_wait_before(shop):
    one = shop("time.sleep(600)")

    async def scenario() -> None:
        assert one.bounds.timeout + store.MARGIN == one.store.patience
        asked = [asyncio.create_task(one.store.ensure(lock(name))) for name in ("a", "b", "c")]
        await until(begun(one), what="the installation")
        assert 2 * one.bounds.timeout + store.MARGIN == one.store.patience
        for task in asked:
            task.cancel()

    one.live(scenario)


def test_what_is_used_stays_and_what_nobody_needed_for_long_goes_when_something_comes(shop):
    one = shop()
    locks = {name: lock(name) for name in ("wanted", "used", "old")}
    one.kept.add(one.store.key(locks["wanted"]))

    async def scenario() -> None:
        for each in locks.values():
            await one.store.ensure(each)
        for each in locks.values():
            os.utime(one.folder / one.store.key(each), (0, 0))
        assert one.store.find(locks["used"]) is not None  # a use, from now on remembered
        await one.store.ensure(lock("new"))
        assert [True, True, False] == [one.store.has(each) for each in locks.values()]

    one.live(scenario)


def test_a_real_uv_serves_the_store(tmp_path):
    uv = store.find_uv()
    assert uv is not None
    line = pinned(build_wheel(tmp_path / "wheels", "good", {"good.py": "X = 1"}))
    found = parse(line, [])
    assert found is not None
    source = plan.Source(wheelhouse=str(tmp_path / "wheels"))
    packages = PackageStore(tmp_path / "packages", source, plan.Bounds(), uv=uv)

    async def live() -> None:
        await packages.start()
        await packages.ensure(found)
        await packages.close()

    asyncio.run(live())
    site = packages.find(found)
    assert site is not None
    assert "-r--r--r--" == stat.filemode((site / "good.py").stat().st_mode)
    install.remove(tmp_path / "packages")


def begun(one: Shop, count: int = 1):
    async def there() -> bool:
        return one.started >= count

    return there


async def empty(folder: Path) -> bool:
    return not os.listdir(folder)  # noqa: PTH208 - the linter takes a Path's look for a slow one
