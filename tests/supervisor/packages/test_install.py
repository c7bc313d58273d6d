"""A real uv installs real wheels from a folder: what comes of it, what is refused, what is left behind."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from strategies.requirements import FILE, parse
from supervisor.packages import install, plan
from supervisor.packages.install import InstallFailed, Order
from supervisor.packages.store import find_uv, this_platform
from tests.packages.wheelhouse import build_wheel, pinned
from tests.waiting import wait_until

pytestmark = pytest.mark.system
ROOT = Path(__file__).resolve().parents[3]


class House:
    """A wheelhouse, and a folder of installations beside it."""

    def __init__(self, base: Path) -> None:
        self.wheels = base / "wheel house, with a comma"
        self.wheels.mkdir()
        self.folder = base / "packages"
        self.folder.mkdir()
        self.bounds = plan.Bounds(timeout=60)

    def wheel(self, name: str, files=None, **how) -> str:
        return pinned(
            build_wheel(self.wheels, name, files or {f"{name}/__init__.py": "ANSWER = 42\n"}, **how)
        )

    def order(self, *lines: str, uv: str | None = None) -> Order:
        lock = parse("".join(lines), [])
        assert lock is not None
        return Order(
            lock=lock,
            key=plan.key(lock, this_platform()),
            folder=self.folder,
            source=plan.Source(wheelhouse=str(self.wheels)),
            bounds=self.bounds,
            uv=uv or find_uv(),
            python=sys.executable,
        )

    def install(self, *lines: str, **how) -> Path:
        order = self.order(*lines, **how)
        install.install(order, threading.Event())
        return install.site_of(self.folder, order.key)

    def refused(self, *lines: str, **how) -> InstallFailed:
        with pytest.raises(InstallFailed) as caught:
            self.install(*lines, **how)
        assert [] == list(self.folder.iterdir())
        assert "\n" not in str(caught.value)
        return caught.value

    def fake(self, body: str) -> str:
        """Write a program that stands in for uv; its last argument but ... is the usual command line."""
        path = self.folder.parent / "uv"
        head = "import os, sys, time\nsite = sys.argv[sys.argv.index('--target') + 1]"
        path.write_text(f"#!{sys.executable}\n{head}\n{body}\n")
        path.chmod(0o755)
        return str(path)


@pytest.fixture
def house(tmp_path):
    found = House(tmp_path)
    yield found
    for entry in found.folder.iterdir():
        install.remove(entry)


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): stat.filemode(path.lstat().st_mode)
        for path in sorted(folder.rglob("*"))
    }


def test_what_the_lock_names_is_there_compiled_read_only_and_readable_by_every_uid(house):
    site = house.install(house.wheel("good"), house.wheel("other_one"))
    whole = tree(site.parent)
    assert "-r--r--r--" == whole["site/good/__init__.py"]
    assert "dr-xr-xr-x" == whole["site/good"]
    assert f"site/good/__pycache__/__init__.{sys.implementation.cache_tag}.pyc" in whole
    assert "site/other_one/__init__.py" in whole
    assert {"dr-xr-xr-x", "-r--r--r--"} == set(whole.values())
    assert "dr-xr-xr-x" == stat.filemode(site.parent.stat().st_mode)
    assert (site.parent / FILE).read_text().startswith("good==1.0.0 --hash=sha256:")
    assert [site.parent] == list(house.folder.iterdir())
    script = f"import sys; sys.path.append({str(site)!r}); import good; print(good.ANSWER)"
    assert b"42\n" == subprocess.check_output([sys.executable, "-I", "-c", script])


def test_what_is_there_is_not_installed_again(house):
    site = house.install(house.wheel("good"))
    before = site.stat().st_ino
    assert site == house.install(house.wheel("good"), uv="/nonexistent/uv")
    assert before == site.stat().st_ino


def test_a_file_that_is_not_the_one_that_was_hashed_is_refused(house):
    house.wheel("good")
    assert (
        "its packages cannot be installed: Failed to download `good==1.0.0`: Hash mismatch for `good==1.0.0`"
        == str(house.refused(f"good==1.0.0 --hash=sha256:{'0' * 64}\n"))
    )


def test_what_is_not_there_is_told_with_its_name_and_with_what_uv_said(house):
    failed = house.refused(f"absent==3.1 --hash=sha256:{'0' * 64}\n")
    assert "absent==3.1" in str(failed)
    assert any("error:" in line for line in failed.output)


def test_a_wheel_for_another_platform_is_refused(house):
    line = house.wheel("alien", tag="cp311-cp311-win_amd64")
    assert "alien==1.0.0 has no wheels with a matching platform tag" in str(house.refused(line))


def test_a_source_distribution_is_not_built_for_building_runs_it(house, tmp_path):
    proof = tmp_path / "was-run"
    folder = tmp_path / "src-1.0"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: src\nVersion: 1.0\n")
    (folder / "setup.py").write_text(f"open({str(proof)!r}, 'w')\n")
    archive = house.wheels / "src-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, folder.name)
    line = pinned(archive).replace("src==1.0.tar.gz", "src==1.0")
    assert "src==1.0 has no usable wheels" in str(house.refused(line))
    assert not proof.exists()


def test_nothing_of_a_wheel_runs_while_it_is_installed(house, tmp_path):
    proof = tmp_path / "was-run"
    hostile = f"open({str(proof)!r}, 'w')\n"
    site = house.install(
        house.wheel(
            "hostile",
            {
                "hostile/__init__.py": hostile,
                "hostile.pth": f"import os; {hostile}",
                "sitecustomize.py": hostile,
                "usercustomize.py": hostile,
                "encodings/__init__.py": hostile,
                "hostile-1.0.0.data/scripts/uv": f"#!/bin/sh\ntouch {proof}\n",
            },
        )
    )
    assert (site / "hostile.pth").exists()
    assert not proof.exists()


def test_no_wheel_brings_links_or_privileges_or_files_beside_its_folder(house, tmp_path):
    def member(name: str, mode: int) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name)
        info.create_system, info.external_attr = 3, mode << 16
        return info

    target = tmp_path / "secret"
    target.write_text("secret")
    target.chmod(0o600)
    site = house.install(
        house.wheel(
            "odd",
            {"odd/__init__.py": "", "odd/link": str(target), "odd/suid": "x", "../../../../outside": "x"},
            members={
                "odd/link": member("odd/link", stat.S_IFLNK | 0o777),
                "odd/suid": member("odd/suid", stat.S_IFREG | 0o6777),
            },
        )
    )
    assert {"dr-xr-xr-x", "-r--r--r--", "-r-xr-xr-x"} == set(tree(site).values())
    assert "-rw-------" == stat.filemode(target.stat().st_mode)
    assert [] == list(tmp_path.rglob("outside"))


def test_what_is_no_file_is_refused_whoever_put_it_there(house, tmp_path):
    target = tmp_path / "secret"
    target.write_text("secret")
    target.chmod(0o600)
    uv = house.fake(f"os.symlink({str(target)!r}, site + '/link')")
    assert "its packages cannot be installed: they hold what is no file and no folder, site/link" == str(
        house.refused(house.wheel("good"), uv=uv)
    )
    assert "-rw-------" == stat.filemode(target.stat().st_mode)


def test_an_installation_that_grows_too_large_is_ended_while_it_grows(house):
    house.bounds = plan.Bounds(timeout=60, size=8 * 2**20)
    uv = house.fake(
        "for n in range(10_000):\n    open(f'{site}/{n}', 'wb').write(b'x' * 2**20)\n    time.sleep(0.05)\n"
    )
    assert "its packages cannot be installed: more than 8 MiB on disk ([packages] max_size)" == str(
        house.refused(house.wheel("good"), uv=uv)
    )


def test_a_bomb_of_zeros_is_ended(house):
    house.bounds = plan.Bounds(timeout=60, size=8 * 2**20)
    line = house.wheel("bomb", {"bomb/zeros": bytes(64 * 2**20)})
    assert str(house.refused(line)).startswith("its packages cannot be installed: ")


def test_folders_deeper_than_python_can_recurse_are_no_traceback(house):
    uv = house.fake(
        "os.chdir(site)\nfor n in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\nsys.exit(3)"
    )
    assert "its packages cannot be installed: uv ended with status 3 and said nothing" == str(
        house.refused(house.wheel("good"), uv=uv)
    )


def test_an_installation_that_takes_too_long_is_ended_with_all_its_processes(house, tmp_path):
    pids = tmp_path / "pids"
    uv = house.fake(
        "import subprocess\n"
        "child = subprocess.Popen(['/bin/sleep', '600'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)"
    )
    wheel = house.wheel("good")
    for timeout in (0.5, 5.0, 50.0):  # a busy host lets what is idle not begin for a while
        house.bounds = plan.Bounds(timeout=timeout)
        told = str(house.refused(wheel, uv=uv))
        assert f"its packages cannot be installed: not done within {timeout:g} s ([packages] timeout)" == told
        if found := pids.read_text().split() if pids.exists() else []:
            break
    assert len(found) == 2
    for pid in map(int, found):
        wait_until(lambda pid=pid: not alive(pid), what=f"the end of {pid}")


def test_an_installation_is_idle_bounded_and_finds_a_literal_environment(house, monkeypatch):
    monkeypatch.setenv("API_KEY", "secret")
    uv = house.fake(
        "import json\n"
        "from resource import getrlimit, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_CORE\n"
        "bounds = [getrlimit(RLIMIT_DATA)[0], getrlimit(RLIMIT_FSIZE)[1], getrlimit(RLIMIT_CORE)[1]]\n"
        "open_files = len(os.listdir('/proc/self/fd')) - 1\n"
        "where = os.path.basename(os.getcwd())\n"
        "said = [os.environ.get('API_KEY'), os.nice(0), *bounds, open_files, where]\n"
        "json.dump(said, open(site + '/said', 'w'))\n"
    )
    site = house.install(house.wheel("good"), uv=uv)
    # Four descriptors: three standard ones, and the one that holds the folder.
    assert [None, 19, plan.MEMORY, house.bounds.size, 0, 4, "work"] == msgspec.json.decode(
        (site / "said").read_bytes()
    )


def test_a_uv_that_cannot_be_started_is_told(house):
    assert "/nonexistent/uv cannot be started: [Errno 2] No such file or directory" in str(
        house.refused(house.wheel("good"), uv="/nonexistent/uv")
    )


def test_an_installation_that_nobody_waits_for_is_given_up(house):
    uv = house.fake("open(site + '/begun', 'w')\ntime.sleep(600)")
    order, cancelled = house.order(house.wheel("good"), uv=uv), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(install.install, order, cancelled)
        begun = house.folder / f"{order.key}.new" / "site" / "begun"
        wait_until(begun.exists, what="the installation")
        cancelled.set()
        with pytest.raises(InstallFailed, match="nobody waits for them any more"):
            future.result(60)
    assert [] == list(house.folder.iterdir())


def test_many_who_want_the_same_at_once_have_it_installed_once(house, tmp_path):
    count = tmp_path / "count"
    uv = house.fake(f"open({str(count)!r}, 'a').write('x')\ntime.sleep(0.3)\nopen(site + '/good.py', 'w')")
    order = house.order(house.wheel("good"), uv=uv)
    with ThreadPoolExecutor(6) as threads:
        weights = list(threads.map(lambda _: install.install(order, threading.Event()), range(6)))
    assert "x" == count.read_text()
    assert 6 == len(weights)
    assert [order.key] == [entry.name for entry in house.folder.iterdir()]


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return "Z" != Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


INSTALLER = """
import sys, threading
from pathlib import Path
from strategies.requirements import parse
from supervisor.packages import install, plan
lock = parse(sys.argv[1], [])
order = install.Order(
    lock=lock, key="k", folder=Path(sys.argv[2]), source=plan.Source(wheelhouse="/"), bounds=plan.Bounds(),
    uv=sys.argv[3], python=sys.executable,
)
install.install(order, threading.Event())
"""


def test_an_installer_that_is_killed_takes_uv_along_and_its_leftover_is_swept(house, tmp_path):
    pids = tmp_path / "pids"
    uv = house.fake(
        "open(site + '/half', 'w').write('x')\n"
        f"open({str(pids)!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(600)"
    )
    arguments = [house.wheel("good"), str(house.folder), uv]
    daemon = subprocess.Popen([sys.executable, "-c", INSTALLER, *arguments], cwd=ROOT)
    wait_until(lambda: pids.exists() and pids.read_text(), what="the installation")
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    wait_until(lambda: not alive(int(pids.read_text())), what="the end of uv")
    assert (house.folder / "k.new" / "site" / "half").exists()
    assert ["k"] == install.sweep(house.folder)
    assert [] == list(house.folder.iterdir())


def test_what_another_process_works_on_is_no_leftover(house):
    uv = house.fake("open(site + '/begun', 'w')\ntime.sleep(600)")
    order, cancelled = house.order(house.wheel("good"), uv=uv), threading.Event()
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(install.install, order, cancelled)
        begun = house.folder / f"{order.key}.new" / "site" / "begun"
        wait_until(begun.exists, what="the installation")
        try:
            assert [] == install.sweep(house.folder)
            assert begun.exists()
        finally:
            cancelled.set()
        assert future.exception(60) is not None


def test_a_leftover_is_no_obstacle(house):
    order = house.order(house.wheel("good"))
    new = house.folder / f"{order.key}.new"
    (new / "site" / "deep").mkdir(parents=True)
    (new / "site" / "deep" / "half.py").write_text("x")
    (new / "site" / "deep").chmod(0o500)
    install.install(order, threading.Event())
    assert {"good", "good-1.0.0.dist-info"} == {p.name for p in (house.folder / order.key / "site").iterdir()}


def test_a_folder_that_is_gone_is_told_in_one_line(house):
    order = house.order(house.wheel("good"))
    house.folder.rmdir()
    with pytest.raises(InstallFailed, match="No such file or directory"):
        install.install(order, threading.Event())
    house.folder.mkdir()


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv(1), to drop what root may do")
def test_what_is_read_only_is_made_and_removed_without_privileges_too(house):
    """An ordinary user may not write into a folder that is read-only; root without capabilities neither."""
    line = house.wheel("good")
    script = INSTALLER.replace('wheelhouse="/"', f"wheelhouse={str(house.wheels)!r}")
    without = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    script += (
        "try:\n    (Path(sys.argv[2]) / 'k' / 'x').touch()\nexcept PermissionError:\n    print('read-only')\n"
    )
    done = subprocess.run(
        [
            *(*without, sys.executable, "-c", f"{script}\ninstall.remove(Path(sys.argv[2]) / 'k')"),
            *(line, str(house.folder), find_uv()),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ("read-only\n", "", 0) == (done.stdout, done.stderr, done.returncode)
    assert [] == list(house.folder.iterdir())


# ---- from an index ----------------------------------------------------------------------------------
class Index(http.server.SimpleHTTPRequestHandler):
    """A simple index (PEP 503) over a folder of wheels, for who knows the password."""

    def do_GET(self) -> None:
        login = base64.b64encode(b"user:s3cret").decode()
        if self.headers.get("Authorization") != f"Basic {login}":
            self.send_error(401)
            return
        wheels = sorted(Path(self.directory).glob("*.whl"))
        if self.path.startswith("/simple/"):
            name = self.path.split("/")[2]
            links = "".join(
                f'<a href="/{w.name}">{w.name}</a>' for w in wheels if w.name.startswith(f"{name}-")
            )
            self.send_response(200 if links else 404)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(links.encode())
            return
        super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def index(house):
    handler = functools.partial(Index, directory=str(house.wheels))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}/simple/"
        server.shutdown()
        thread.join()


def from_index(house: House, url: str, *lines: str) -> Order:
    return msgspec.structs.replace(house.order(*lines), source=plan.Source(index=url))


def test_an_index_is_asked_with_its_password(house, index):
    order = from_index(house, f"http://user:s3cret@{index}", house.wheel("good"))
    install.install(order, threading.Event())
    assert (house.folder / order.key / "site" / "good" / "__init__.py").exists()


@pytest.mark.parametrize("login", ["user:wr0ng", "user:s3cret"])
def test_what_an_index_does_not_give_is_told_without_the_password(house, index, login):
    name = "absent" if login.endswith("s3cret") else "good"
    house.wheel("good")
    order = from_index(house, f"http://{login}@{index}", f"{name}==1.0.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(InstallFailed) as caught:
        install.install(order, threading.Event())
    told = " ".join([str(caught.value), *caught.value.output])
    assert name in told
    assert login.partition(":")[2] not in told
    assert [] == list(house.folder.iterdir())
