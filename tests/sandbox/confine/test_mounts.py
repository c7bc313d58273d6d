"""What a root of its own alone stops."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

import pytest

from sandbox.confine import mounts
from tests.sandbox.confine.alone import alone, as_ordinary_user, needs

pytestmark = pytest.mark.system

ENTER = """
from sandbox.confine import mounts, namespaces
if os.geteuid() != 0:
    namespaces.enter_user_namespace()
namespaces.leave_host()
root, code = sys.argv[1:3]
os.umask(0o077)  # as the daemon has it
readable = [*mounts.readable(), *sys.argv[4:]]
mounts.build_root(root, readable)
namespaces.unshare(namespaces.MOUNT)
mounts.make_scratch(root, 1 << 20, os.geteuid(), readable)
mounts.bind(code, root + mounts.CODE)
mounts.enter_root(root)
"""


@pytest.fixture(params=["as we are", "ordinary user"])
def cell(request: pytest.FixtureRequest, tmp_path: Path):
    """Run a script inside a root, with a folder of code beside another one that is none of its business."""
    before = as_ordinary_user() if request.param == "ordinary user" else []
    for name in ("root", "code", "other"):
        (tmp_path / name).mkdir()
    for name in ("code", "other"):
        (tmp_path / name / "strategy.py").write_text(f"# {name}\n")
    needs("from sandbox.confine import namespaces\n"
          "if os.geteuid() != 0: namespaces.enter_user_namespace()\nnamespaces.leave_host()",
          "namespaces", before=before)  # fmt: skip

    def run(script: str, *readable: str) -> list[str]:
        return alone(ENTER + script, str(tmp_path / "root"), str(tmp_path / "code"),
                     str(tmp_path / "other"), *readable, before=before)  # fmt: skip

    return run


def test_only_what_was_bound_is_there(cell):
    said = cell("""
for path in ("/etc/passwd", "/proc/self", "/proc/1", "/home", "/root/.ssh", "/var", sys.argv[3], "/dev/zero",
             "/dev/shm/x", "/sys/fs"):
    attempt(path, lambda: os.lstat(path).st_mode)
print(open("/strategy/strategy.py").read().strip(), sorted(os.listdir("/strategy")))
""")
    assert {line.rpartition(" ")[2] for line in said[:-1]} == {"ENOENT"}
    assert said[-1] == "# code ['strategy.py']"


def test_nothing_can_be_written_but_the_scratch(cell):
    said = cell("""
def write(path):
    with open(path, "w") as file:
        return file.write("x")
read_only = ("/x", "/strategy/x", "/strategy/strategy.py", "/usr/x", "/packages/x", "/bus/x", "/dev/x")
for path in (*read_only, os.__file__, "/tmp/x", "/dev/null"):
    attempt(path, lambda: write(path))
""")
    assert [line.rpartition(" ")[2] for line in said] == ["EROFS"] * 8 + ["1"] * 2


def test_the_scratch_is_bounded_in_bytes_and_files_and_executes_nothing(cell):
    said = cell("""
def fill():
    with open("/tmp/big", "wb", buffering=0) as file:
        for _ in range(64):
            file.write(bytes(65536))
attempt("bytes", fill)
os.unlink("/tmp/big")
def files():
    for number in range(10_000):
        open(f"/tmp/{number}", "w").close()
attempt("files", files)
import mmap
for name in os.listdir("/tmp")[:9]:
    os.unlink(f"/tmp/{name}")
with open("/tmp/code", "wb") as file:
    file.write(bytes(4096))
def execute():
    with open("/tmp/code", "rb") as file:
        mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)
attempt("execute", execute)
""")
    assert said == ["bytes ENOSPC", "files ENOSPC", "execute EPERM"]


def test_what_is_readable_is_so_in_the_scratch_too(cell):
    """As of a checkout, or an interpreter, that lies in /tmp."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        Path(folder, "module.py").write_text("# here\n")
        said = cell(
            """
print(open(sys.argv[4] + "/module.py").read().strip(), os.path.basename(sys.argv[4]) in os.listdir("/tmp"))
attempt("write", lambda: open(sys.argv[4] + "/module.py", "w"))
attempt("make", lambda: open(sys.argv[4] + "/other.py", "w"))
""",
            folder,
        )
    assert said == ["# here True", "write EROFS", "make EROFS"]


def test_every_uid_may_enter_its_folders_whatever_the_umask_is(cell):
    said = cell("""
import sysconfig
above, path = [], sysconfig.get_path("stdlib")
while path != "/":
    path = os.path.dirname(path)
    above.append(path)
for path in (*above, "/dev", "/etc", "/strategy", "/packages", "/bus"):
    print(os.stat(path).st_mode & 0o777 | 0o022 == 0o777 or path)
""")
    assert {"True"} == set(said)


def test_what_python_needs_is_at_its_place(cell):
    said = cell("""
import decimal, json, sqlite3, ssl, zoneinfo
import numpy
print(numpy.arange(3).sum(), zoneinfo.ZoneInfo("Europe/Berlin"), len(os.urandom(4)))
""")
    assert said == ["3 Europe/Berlin 4"]


def test_what_is_read_of_the_host_is_the_interpreter_and_our_own_packages():
    here = Path(mounts.__file__).parents[2]
    assert {str(here / name) for name in ("bus", "sandbox", "strategies")} <= set(mounts.readable()) or any(
        str(here).startswith(path) for path in mounts.readable()
    )
    assert str(here) not in mounts.readable()
    assert not any(str(here / "tests").startswith(path) for path in mounts.readable())


# ---- a way without links ------------------------------------------------------------------------------
WAYS = pytest.mark.parametrize("opened", [mounts.open_exactly, mounts._open_step_by_step])
"""With openat2(2), and as where a filter forbids it (systemd's RestrictSUIDSGID=)."""


@WAYS
def test_a_path_without_links_leads_where_it_says(opened, tmp_path: Path):
    for path in (tmp_path, Path(__file__).resolve(), Path("/")):
        descriptor = opened(str(path))
        try:
            assert os.path.samestat(os.fstat(descriptor), path.stat())
        finally:
            os.close(descriptor)


@WAYS
@pytest.mark.parametrize(
    ("below", "number"),
    [
        ("link/file", errno.ELOOP),
        ("folder/link", errno.ELOOP),
        ("folder/none", errno.ENOENT),
        ("folder/file/x", errno.ENOTDIR),
    ],
)
def test_a_link_anywhere_on_the_way_is_refused_and_nothing_stays_open(opened, below, number, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").touch()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "folder" / "link").symlink_to("file")
    before = set(Path("/proc/self/fd").iterdir())
    with pytest.raises(OSError) as refused:
        opened(f"{tmp_path.resolve()}/{below}")
    assert (refused.value.errno, set(Path("/proc/self/fd").iterdir())) == (number, before)
