import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.sandbox.confine.child import told

NOBODY = 65_534
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose privileges are given up")
pytestmark = pytest.mark.system

READ = """
from sandbox.confine import credentials
from sandbox.confine.credentials import Capability

def status(*names):
    lines = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
    return {name: lines[name].strip() for name in names}

def said(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno], error.strerror

SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
"""
ACTS = """
import resource, signal, socket
parent = os.getppid()
HEADER = (0x20080522).to_bytes(4, "little") + bytes(4)  # of capset(2)

def listen():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 1))

def raw():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()

def made(call, *arguments):
    return lambda: call(FOLDER + "/own", *arguments)

acts = {
    "read a file of root": lambda: os.close(os.open("/etc/shadow", os.O_RDONLY)),
    "read root's environment": lambda: os.close(os.open(f"/proc/{parent}/environ", os.O_RDONLY)),
    "signal root": lambda: os.kill(parent, 0),
    "limit root": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
    "renice root": lambda: os.setpriority(os.PRIO_PROCESS, parent, os.getpriority(os.PRIO_PROCESS, parent)),
    "pin root": lambda: os.sched_setaffinity(parent, os.sched_getaffinity(parent)),
    "raise its priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -1),
    "give a file away": made(os.chown, 1, 1),
    "make a device": lambda: os.mknod(FOLDER + "/deeper/device", 0o020600, os.makedev(1, 3)),
    "bind a low port": listen,
    "raw socket": raw,
    "host name": lambda: syscall(170, b"cell", 4),
    "mount": lambda: syscall(165, b"none", FOLDER.encode(), b"tmpfs", 0, 0),
    "change the root": lambda: os.chroot("/"),
    "namespace": lambda: syscall(272, 0x00020000),
    "be root": lambda: os.setuid(0),
    "group of root": lambda: os.setgid(0),
    "groups": lambda: os.setgroups([0]),
    "capability": lambda: syscall(126, HEADER, bytes([255]) * 8 + bytes(16)),
    "bounding set": lambda: syscall(157, 24, 0, 0, 0, 0),
    "securebits": lambda: syscall(157, 28, 0, 0, 0, 0),
    "keep capabilities": lambda: syscall(157, 8, 1, 0, 0, 0),
    "raise as ambient": lambda: syscall(157, 47, 2, 5, 0, 0),
}
"""


@pytest.fixture
def folder():
    """A folder that every user can enter: pytest's own are for their owner."""
    path = Path(tempfile.mkdtemp(prefix="stratd-test-"))
    path.chmod(0o755)
    (path / "own").write_text("x")
    (path / "deeper").mkdir()
    for name in ("own", "deeper"):
        os.chown(path / name, NOBODY, NOBODY)
    yield path
    shutil.rmtree(path)


def at(folder):
    return f"FOLDER = {str(folder)!r}\n"


NONE = dict.fromkeys(("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), "0" * 16)


@ROOT_ONLY
def test_nothing_of_root_is_left_with_another_uid(folder):
    code = at(folder) + READ + ACTS + f"credentials.drop({NOBODY})\n"
    code += """
seen = status(*SETS), status("Uid", "Gid", "Groups", "NoNewPrivs")
print((seen, {name: tried(act) for name, act in acts.items()}))
"""
    (sets, ids), outcome = told(code)
    four = "\t".join([str(NOBODY)] * 4)
    assert NONE == sets
    assert {"Uid": four, "Gid": four, "Groups": "", "NoNewPrivs": "1"} == ids
    files = dict.fromkeys(("read a file of root", "read root's environment", "bind a low port"), "EACCES")
    files["raise its priority"] = "EACCES"
    assert {name: files.get(name, "EPERM") for name in outcome} == outcome


@ROOT_ONLY
def test_root_itself_can_do_all_that(folder):
    """Or else the test above would show nothing: a refusal there is for want of privilege."""
    code = at(folder) + READ + ACTS
    code += """
syscall(272, 0x00020000 | 0x04000000)  # mounts and host name of its own
syscall(165, b"none", b"/", 0, 0x44000, 0)  # MS_REC | MS_PRIVATE
beyond_root = ("capability", "raise as ambient")
print({name: tried(act) for name, act in acts.items() if name not in beyond_root})
"""
    outcome = told(code)
    assert dict.fromkeys(outcome, "done") == outcome


@ROOT_ONLY
def test_a_wardens_one_capability_is_kept(folder):
    code = at(folder) + READ + ACTS + f"credentials.drop({NOBODY}, keep=[Capability.KILL])\n"
    code += """
print((status(*SETS), [name for name, act in acts.items() if tried(act) == "done"]))
"""
    kill = f"{1 << 5:016x}"
    assert (NONE | {"CapPrm": kill, "CapEff": kill}, ["signal root"]) == told(code)


@ROOT_ONLY
def test_a_set_user_id_program_gives_nothing(folder):
    if os.statvfs(folder).f_flag & os.ST_NOSUID:
        pytest.skip(f"{folder} is mounted nosuid, so that no program there could give anything")
    program = folder / "id"
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    act = f"os.execv({str(program)!r}, ['id', '-u'])"
    assert NOBODY == told(READ + f"credentials.drop({NOBODY})\n" + act)
    assert 0 == told(READ + f"os.setresuid({NOBODY}, {NOBODY}, {NOBODY})\n" + act)


@ROOT_ONLY
def test_nobody_of_the_same_user_can_look_into_it(folder):
    code = (
        READ
        + f"""
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    credentials.drop({NOBODY})
    os.write(writing, b"x")
    import signal
    signal.pause()
os.read(reading, 1)
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
looks = {{
    "memory": tried(lambda: os.close(os.open(f"/proc/{{child}}/mem", os.O_RDONLY))),
    "environment": tried(lambda: os.close(os.open(f"/proc/{{child}}/environ", os.O_RDONLY))),
    "trace": tried(lambda: syscall(101, 16, child, 0, 0)),
    "descriptors": tried(lambda: os.listdir(f"/proc/{{child}}/fd")),
}}
os.kill(child, 9)  # of the same user, so that it may
os.waitpid(child, 0)
print(looks)
"""
    )
    looks = told(code)
    assert {"memory": "EACCES", "environment": "EACCES", "trace": "EPERM", "descriptors": "EACCES"} == looks


@ROOT_ONLY
def test_securebits_are_locked_and_the_death_signal_is_gone():
    """Which is why the latter is set afterwards."""
    code = READ + f"libc.prctl(1, 9, 0, 0, 0)\ncredentials.drop({NOBODY})\n"
    code += """
signal = ctypes.c_int(-1)
libc.prctl(2, ctypes.byref(signal), 0, 0, 0)
print((libc.prctl(27, 0, 0, 0, 0), libc.prctl(3, 0, 0, 0, 0), signal.value))
"""
    assert (0xEF, 0, 0) == told(code)


@ROOT_ONLY
def test_group_and_user_may_differ():
    code = READ + "credentials.drop(61234, 61235)\nprint((os.getresuid(), os.getresgid(), os.getgroups()))"
    assert ((61234,) * 3, (61235,) * 3, []) == told(code)


ORDINARY = f"""
os.setgroups([4242])
os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
libc.prctl(4, 1, 0, 0, 0)  # as after an exec by this user
"""


@ROOT_ONLY
def test_an_ordinary_user_drops_what_there_is():
    code = READ + ORDINARY + "credentials.drop()\n"
    code += "print((status('CapPrm', 'CapEff', 'NoNewPrivs'), os.getresuid()))"
    sets = {"CapPrm": "0" * 16, "CapEff": "0" * 16, "NoNewPrivs": "1"}
    assert (sets, (NOBODY,) * 3) == told(code)


@ROOT_ONLY
def test_the_root_of_a_user_namespace_drops_all_of_it(folder):
    """Where groups cannot be given up (user_namespaces(7)), and everything else can."""
    code = at(folder) + READ + ACTS + ORDINARY
    code += """
from sandbox.confine.namespaces import enter_user_namespace
try:
    enter_user_namespace()
except OSError as error:
    print(repr(error.strerror))
    raise SystemExit
full = status('CapEff') != {'CapEff': '0' * 16}
credentials.drop()
tried_ = {name: tried(acts[name]) for name in ("mount", "host name", "change the root", "groups", "be root")}
print((full, status(*SETS), tried_))
"""
    outcome = told(code)
    if isinstance(outcome, str):
        pytest.skip(f"no user namespaces here: {outcome}")
    full, sets, tried = outcome
    assert full
    assert NONE == sets
    assert tried.pop("be root") == "EINVAL"  # there is no such user in there
    assert dict.fromkeys(tried, "EPERM") == tried


@ROOT_ONLY
def test_a_zygote_keeps_what_it_needs_to_make_cells():
    code = (
        READ
        + f"""
needed = [Capability.SYS_ADMIN, Capability.SETUID, Capability.SETGID, Capability.SETPCAP, Capability.KILL]
credentials.keep_only(needed)
sets = status(*SETS)
shadow = tried(lambda: os.mknod("/dev/shm/stratd-device", 0o020600, os.makedev(1, 3)))
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    syscall(272, 0x00020000)  # namespaces, as a cell does, then all that is left goes
    credentials.drop({NOBODY}, keep=[Capability.KILL])
    os.write(writing, repr((status("CapPrm", "CapBnd"), os.getuid())).encode())
    os._exit(0)
os.waitpid(child, 0)
print((os.getuid(), sets, shadow, eval(os.read(reading, 4096))))
"""
    )
    kept = f"{1 << 21 | 1 << 7 | 1 << 6 | 1 << 8 | 1 << 5:016x}"
    cell = ({"CapPrm": f"{1 << 5:016x}", "CapBnd": "0" * 16}, NOBODY)
    assert (0, NONE | {"CapPrm": kept, "CapEff": kept}, "EPERM", cell) == told(code)


@ROOT_ONLY
def test_a_zygote_does_without_a_capability_that_it_was_not_given():
    """Of docker, with what ``stratd doctor`` says there (--cap-add SYS_ADMIN): no DAC_READ_SEARCH."""
    code = (
        READ
        + """
credentials.keep_only([Capability.SYS_ADMIN, Capability.SETPCAP])
credentials.keep_only([Capability.SYS_ADMIN, Capability.DAC_READ_SEARCH])
print(status(*SETS))
"""
    )
    assert NONE | dict.fromkeys(("CapPrm", "CapEff"), f"{1 << 21:016x}") == told(code)


@ROOT_ONLY
def test_what_goes_wrong_is_said_by_its_step():
    code = (
        READ
        + f"""
steps = [
    lambda: credentials.keep_only([Capability.SETPCAP]),
    lambda: credentials.drop(keep=[Capability.KILL, Capability.CHOWN]),
    lambda: credentials.drop({NOBODY}),
    lambda: credentials.keep_only([]),
    lambda: credentials.drop({NOBODY}),
]
print([said(step) for step in steps])
"""
    )
    steps = ["hold only KILL CHOWN capabilities", "set groups", "empty bounding set"]
    first, second, third = (("EPERM", f"credentials: {step}: Operation not permitted") for step in steps)
    # What the second attempt did before it failed stays done: its caller ends.
    assert [None, first, second, None, third] == told(code)
