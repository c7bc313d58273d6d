import os
import socket
import sys

import pytest

from sandbox.confine import landlock
from sandbox.confine.landlock import Rights, handled
from tests.sandbox.confine.child import ROOT, run, told

# ---- what a kernel can refuse ----------------------------------------------------------------------
FILES = 2**13 - 1  # EXECUTE to MAKE_SYM, as at first


@pytest.mark.parametrize(
    ("abi", "expected"),
    [
        (0, Rights(0, 0, 0)),
        (1, Rights(FILES, 0, 0)),
        (2, Rights(FILES | landlock.REFER, 0, 0)),
        (3, Rights(2**15 - 1, 0, 0)),
        (4, Rights(2**15 - 1, 3, 0)),
        (5, Rights(2**16 - 1, 3, 0)),
        (6, Rights(2**16 - 1, 3, 3)),
        (7, Rights(2**16 - 1, 3, 3)),
        (8, Rights(2**16 - 1, 3, 3)),
        (9, Rights(2**17 - 1, 3, 3)),
        (10, Rights(2**17 - 1, 15, 3)),
        (99, Rights(2**17 - 1, 15, 3)),
    ],
)
def test_a_kernel_refuses_all_that_its_abi_has(abi, expected):
    assert expected == handled(abi)


def test_signals_may_be_left_alone_and_abstract_sockets_not():
    assert Rights(2**16 - 1, 3, landlock.ABSTRACT_SOCKETS) == handled(7, signals=False)


# ---- what it alone holds ---------------------------------------------------------------------------
def on_a_kernel_that_has_it(test):
    old = pytest.mark.skipif(landlock.abi() < 6, reason="the acts need Landlock ABI 6 (Linux 6.12)")
    return pytest.mark.system(old(test))


SETUP = """
import signal, socket, subprocess
FOLDER, ABSTRACT, PORT, NAMED = {folder!r}, {abstract!r}, {port}, {named!r}
kept = open(FOLDER + "/outside/file")
from sandbox.confine import landlock
"""
RESTRICT = """
no_new_privileges()
landlock.restrict(
    read={read!r}, write=[FOLDER + "/own", "/nonexistent"], devices=["/dev/null"], signals=True
)
"""
ACTS = """
def connect(family, address):
    with socket.socket(family) as one:
        one.connect(address)

def bind():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))

def opened(path, flags=os.O_RDONLY):
    os.close(os.open(path, flags))

refused = {
    "read": tried(lambda: opened(FOLDER + "/outside/file")),
    "list": tried(lambda: os.listdir(FOLDER + "/outside")),
    "write": tried(lambda: opened(FOLDER + "/outside/file", os.O_WRONLY)),
    "write where it may read": tried(lambda: opened(FOLDER + "/readable/file", os.O_WRONLY)),
    "create": tried(lambda: opened(FOLDER + "/outside/new", os.O_WRONLY | os.O_CREAT)),
    "truncate": tried(lambda: os.truncate(FOLDER + "/outside/empty", 0)),
    "make a folder": tried(lambda: os.mkdir(FOLDER + "/outside/folder")),
    "make a pipe": tried(lambda: os.mkfifo(FOLDER + "/own/pipe")),
    "make a link": tried(lambda: os.symlink("/", FOLDER + "/own/link")),
    "remove": tried(lambda: os.unlink(FOLDER + "/outside/removed")),
    "move out": tried(lambda: os.rename(FOLDER + "/own/moved", FOLDER + "/outside/moved")),
    "execute": tried(lambda: subprocess.run(["/bin/true"], check=True)),
    "another device": tried(lambda: opened("/dev/zero")),
    "the environment of the parent": tried(lambda: opened(f"/proc/{os.getppid()}/environ")),
    "bind": tried(bind),
    "connect": tried(lambda: connect(socket.AF_INET, ("127.0.0.1", PORT))),
    "an abstract socket": tried(lambda: connect(socket.AF_UNIX, ABSTRACT)),
    "signal the parent": tried(lambda: os.kill(os.getppid(), 0)),
}
"""


@pytest.fixture
def place(tmp_path):
    """Folders, a listening TCP port, an abstract and a named socket; and what says so to a child."""
    for name in ("own", "own/deeper", "outside", "readable"):
        (tmp_path / name).mkdir()
    for name in ("own/moved", "outside/file", "outside/empty", "outside/removed", "readable/file"):
        (tmp_path / name).write_text("x")
    abstract, named = f"\0stratd-test-{os.getpid()}", str(tmp_path / "outside" / "socket")
    with socket.socket() as tcp, socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as two:
        tcp.bind(("127.0.0.1", 0))
        one.bind(abstract)
        two.bind(named)
        for listening in (tcp, one, two):
            listening.listen()
        port = tcp.getsockname()[1]
        setup = SETUP.format(folder=str(tmp_path), abstract=abstract, port=port, named=named)
        # Files as well as folders: a rule for a file takes fewer rights.
        read = ["/usr", "/lib", "/lib64", sys.base_prefix, sys.prefix, str(ROOT), "/etc/passwd"]
        yield setup, RESTRICT.format(read=[*read, str(tmp_path / "readable")])


@on_a_kernel_that_has_it
def test_nothing_outside_is_touched_executed_connected_or_signalled(place):
    setup, restrict = place
    told_ = told(setup + restrict + ACTS + "print(refused)")
    eperm = {"an abstract socket": "EPERM", "signal the parent": "EPERM"}
    assert {name: eperm.get(name, "EACCES") for name in told_} == told_
    without = told(setup + ACTS + "print(refused)")
    assert dict.fromkeys(told_, "done") == without


@on_a_kernel_that_has_it
def test_what_is_given_can_be_used(place):
    setup, restrict = place
    acts = """
with open(FOLDER + "/own/new", "w") as file:
    file.write("x")
os.truncate(FOLDER + "/own/new", 0)
os.rename(FOLDER + "/own/new", FOLDER + "/own/deeper/new")
os.unlink(FOLDER + "/own/deeper/new")
os.mkdir(FOLDER + "/own/folder"); os.rmdir(FOLDER + "/own/folder")
open("/dev/null", "w").close(); open("/dev/null").close()
import decimal, numpy  # from folders that may be read, extension modules among them
print((os.listdir(FOLDER + "/readable"), open("/etc/passwd").read() != "", kept.read()))
"""
    paths = f"sys.path += {[path for path in sys.path if 'site-packages' in path]!r}\n"
    assert (["file"], True, "x") == told(paths + setup + restrict + acts)


@on_a_kernel_that_has_it
def test_what_it_lets_through_others_must_hold(place):
    """As the module says of itself: seccomp and mounts are there for these."""
    setup, restrict = place
    acts = """
path = FOLDER + "/outside/file"
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", 9))
def named():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(NAMED)
through = {
    "stat": tried(lambda: os.stat(path)),
    "mode": tried(lambda: os.chmod(path, 0o600)),
    "times": tried(lambda: os.utime(path)),
    "UDP": tried(datagram),
    "named socket": tried(named),
}
print(through)
"""
    abi = landlock.abi()
    expected = dict.fromkeys(("stat", "mode", "times"), "done")
    expected["UDP"] = "done" if abi < 10 else "EACCES"
    expected["named socket"] = "done" if abi < 9 else "EACCES"
    assert expected == told(setup + restrict + acts)


@on_a_kernel_that_has_it
def test_a_warden_may_signal(place):
    setup, restrict = place
    free = restrict.replace("signals=True", "signals=False")
    assert "done" == told(setup + free + "print(repr(tried(lambda: os.kill(os.getppid(), 0))))")


@on_a_kernel_that_has_it
def test_an_older_kernel_is_asked_for_what_it_has(place):
    """The rights of ABI 3, on whatever kernel this is: files are held, TCP is not."""
    setup, restrict = place
    acts = """
def connect():
    with socket.socket() as one:
        one.connect(("127.0.0.1", PORT))
print((tried(lambda: os.truncate(FOLDER + "/outside/empty", 0)), tried(connect)))
"""
    assert ("EACCES", "done") == told(setup + "landlock.abi = lambda: 3\n" + restrict + acts)


@on_a_kernel_that_has_it
def test_what_goes_wrong_is_said():
    code = """
from sandbox.confine import landlock
def said(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno], error.strerror
if os.geteuid() == 0:  # give away CAP_SYS_ADMIN, which allows it without NO_NEW_PRIVS
    syscall(126, (0x20080522).to_bytes(4, "little") + bytes(4), bytes(24))
before = said(landlock.restrict)
no_new_privileges()
a_file = said(lambda: landlock.restrict(read=["/dev/null/x"]))
landlock.abi = lambda: 0
print((before, a_file, said(landlock.restrict)))
"""
    before, a_file, none = told(code)
    assert ("EPERM", "landlock: restrict: Operation not permitted") == before
    assert ("ENOTDIR", "landlock: rule for /dev/null/x: Not a directory") == a_file
    assert ("ENOSYS", "landlock: this kernel has none, or did not enable it at boot") == none


@on_a_kernel_that_has_it
def test_no_descriptor_is_left_open():
    code = """
from sandbox.confine import landlock
no_new_privileges()
before = os.listdir("/proc/self/fd")
landlock.restrict(read=["/usr", "/etc/passwd", "/proc"], devices=["/dev/null"])
print(before == os.listdir("/proc/self/fd"))
"""
    assert told(code) is True


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to make a folder that another user cannot enter")
@on_a_kernel_that_has_it
def test_a_path_that_cannot_be_reached_is_skipped(tmp_path):
    tmp_path.chmod(0o700)
    code = f"""
from sandbox.confine import landlock
no_new_privileges()
os.setresuid(65534, 65534, 65534)
landlock.restrict(read=[{str(tmp_path / "own")!r}, "/usr"])
print((tried(lambda: os.listdir("/etc")), tried(lambda: os.listdir("/usr"))))
"""
    assert ("EACCES", "done") == told(code)


def test_a_kernel_without_it_has_abi_0():
    """ENOSYS or EOPNOTSUPP, asked by a process that seccomp answers so."""
    code = """
from sandbox.confine import bpf, landlock, seccomp, syscalls
machine = syscalls.native()
policy = bpf.Policy(machine.architecture, {444: (bpf.Case((), bpf.fail(errno.EOPNOTSUPP)),)}, bpf.ALLOW)
no_new_privileges()
seccomp.load(seccomp.prepare(bpf.compile_policy(policy), machine))
print(landlock.abi())
"""
    assert 0 == told(code), run(code)
