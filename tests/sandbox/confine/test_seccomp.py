"""What the filters alone hold, and that work goes on under them: each act is done, in a child."""

import platform
import signal
import sys

import pytest

from sandbox.confine import seccomp
from tests.sandbox.confine.child import answer, finish, run, start, told
from tests.sandbox.world import TOKEN, Engine

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the acts use numbers of x86_64"),
]

FILTERED = """
from sandbox.confine import seccomp
prepared = seccomp.strategy_policy(shared_memory=False)
no_new_privileges()
"""
LOADED = FILTERED + "seccomp.load(prepared)\n"

# Acts that any user can do, so that a refusal is the filter's. Run without it as well, where none is refused.
ACTS = """
import fcntl, mmap, resource, socket
reading, writing = os.pipe()
one, other = socket.socketpair()
own = os.open(os.path.join(os.environ["FOLDER"], "own"), os.O_RDWR | os.O_CREAT, 0o600)

def fork():
    if os.fork() == 0:
        os._exit(0)
    os.wait()

def fork_by_number():
    if syscall(57) == 0:
        os._exit(0)
    os.wait()

acts = {
    "fork": fork,
    "fork by number": fork_by_number,
    "exec": lambda: os.execve("/nonexistent", ["x"], {}),
    "internet socket": lambda: socket.socket(socket.AF_INET).close(),
    "unix socket": lambda: socket.socket(socket.AF_UNIX).close(),
    "netlink socket": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "socket buffers": lambda: one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20),
    "pidfd of the peer": lambda: one.getsockopt(socket.SOL_SOCKET, 77, 4),
    "out-of-band data": lambda: one.send(b"x", socket.MSG_OOB),
    "signal to another": lambda: os.kill(os.getppid(), 0),
    "signal to the group": lambda: os.kill(0, 0),
    "signal by tkill": lambda: syscall(200, os.getpid(), 0),
    "signals by descriptor": lambda: fcntl.fcntl(reading, fcntl.F_SETOWN, os.getpid()),
    "pidfd": lambda: os.close(os.pidfd_open(os.getpid())),
    "limits": lambda: syscall(302, 0, resource.RLIMIT_CORE, bytes(16), 0),
    "limits of another": lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0)),
    "namespaces": lambda: syscall(272, 0x200),
    "memory file": lambda: os.close(os.memfd_create("x")),
    "shared memory": lambda: mmap.mmap(-1, 4096).close(),
    "growing stack": lambda: mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x100).close(),
    "large pipe": lambda: fcntl.fcntl(writing, 1031, 1 << 20),
    "lock": lambda: fcntl.flock(own, fcntl.LOCK_SH),
    "record lock": lambda: fcntl.lockf(own, fcntl.LOCK_SH),
    "merged pages": lambda: syscall(28, 0, 0, 12),
    "mode": lambda: os.fchmod(own, 0o600),
    "owner": lambda: os.fchown(own, os.getuid(), os.getgid()),
    "times": lambda: os.utime(own),
    "attribute": lambda: os.setxattr(own, "user.x", b"1"),
    "inotify": lambda: os.close(syscall(294, 0)),
    "timer descriptor": lambda: os.close(syscall(283, 1, 0)),
    "splice": lambda: syscall(275, -1, 0, -1, 0, 0, 0),
    "key": lambda: syscall(250, 0, -1, 0),
    "personality": lambda: syscall(135, 0xFFFFFFFF),
    "death signal": lambda: syscall(157, 1, 0, 0, 0, 0),
    "dumpable": lambda: syscall(157, 4, 1, 0, 0, 0),
    "a filter of its own": lambda: syscall(317, 1, 0, 0),
    "landlock": lambda: syscall(444, 0, 0, 1),
    "sync": lambda: syscall(306, own),
}
outcome = {name: tried(act) for name, act in acts.items()}
print(outcome)
"""


def with_folder(folder, code):
    return f"os.environ['FOLDER'] = {str(folder)!r}\n{code}"


def test_a_strategy_is_refused_what_any_process_can_do(tmp_path):
    refused = told(with_folder(tmp_path, LOADED + ACTS))
    assert dict.fromkeys(refused, "EPERM") == refused
    free = told(with_folder(tmp_path, ACTS))
    assert set(refused) == set(free)
    # By the filter and by nothing else: but for what containers refuse as well, or file systems do not have.
    elsewhere = {"key", "attribute", "personality", "namespaces", "landlock", "merged pages"}
    assert set() == {name for name, what in free.items() if what == "EPERM"} - elsewhere


def test_newer_variants_do_not_exist():
    outcome = told(
        LOADED
        + """
print([tried(lambda number=number: syscall(number, 0, 0, 0, 0)) for number in (435, 437, 470, 9999)])
"""
    )
    assert ["ENOSYS"] * 4 == outcome


def test_scheduling_is_faked():
    outcome = told(
        LOADED
        + """
before = os.sched_getaffinity(0)
os.sched_setaffinity(0, {max(before)})
os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
print((before == os.sched_getaffinity(0), os.sched_getscheduler(0) == os.SCHED_OTHER))
"""
    )
    assert (True, True) == outcome


def test_it_may_signal_itself():
    outcome = told(
        LOADED
        + """
import signal
caught = []
signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
os.kill(os.getpid(), signal.SIGUSR1)
signal.raise_signal(signal.SIGUSR1)
print(len(caught))
"""
    )
    assert 2 == outcome


X32 = "syscall(0x40000027)"
INT_80 = """
import mmap
code = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)  # readable, writable, executable
code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid of i386); int 0x80; ret
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
"""


@pytest.mark.parametrize("act", [X32, INT_80], ids=["x32", "int 0x80"])
def test_a_foreign_call_kills(act):
    assert -signal.SIGSYS == run(LOADED + act).returncode


def test_with_the_kill_tier_a_call_that_means_harm_ends_the_process():
    loaded = (
        FILTERED.replace("shared_memory=False", "shared_memory=False, kill=True") + "seccomp.load(prepared)\n"
    )
    assert -signal.SIGSYS == run(loaded + "syscall(101, 0, 0, 0, 0)").returncode  # ptrace(PTRACE_TRACEME)
    assert "EPERM" == told(loaded + "print(repr(tried(lambda: os.pidfd_open(os.getpid()))))")


def test_threads_that_were_there_before_are_filtered_too():
    outcome = told(
        FILTERED
        + """
import threading
go, said = threading.Event(), []
thread = threading.Thread(target=lambda: (go.wait(), said.append(tried(lambda: os.memfd_create("x")))))
thread.start()
seccomp.load(prepared)
go.set()
thread.join()
print(said)
"""
    )
    assert ["EPERM"] == outcome


def test_a_filter_is_for_good_and_stays_over_threads_to_come():
    outcome = told(
        LOADED
        + """
import threading
said = []
thread = threading.Thread(target=lambda: said.append(tried(lambda: os.memfd_create("x"))))
thread.start()
thread.join()
print((said, tried(lambda: seccomp.load(prepared)), open("/proc/self/status").read().count("Seccomp:\\t2")))
"""
    )
    assert (["EPERM"], "EPERM", 1) == outcome


def test_loading_without_the_right_to_says_so():
    code = """
from sandbox.confine import seccomp
prepared = seccomp.strategy_policy(shared_memory=False)
if os.geteuid() == 0:  # give away CAP_SYS_ADMIN, and with it the right
    syscall(126, (0x20080522).to_bytes(4, "little") + bytes(4), bytes(24))
try:
    seccomp.load(prepared)
except OSError as error:
    print((errno.errorcode[error.errno], error.strerror))
"""
    size = seccomp.strategy_policy(shared_memory=False).program.instructions
    assert ("EACCES", f"seccomp filter of {size} instructions: Permission denied") == told(code)


def test_a_program_that_the_kernel_refuses_is_an_error():
    code = """
from sandbox.confine import seccomp, syscalls
from sandbox.confine.bpf import Program
no_new_privileges()
prepared = seccomp.prepare(Program(b"\\xff" * 8, ()), syscalls.native())
print(repr(tried(lambda: seccomp.load(prepared))))
"""
    assert "EINVAL" == told(code)


# ---- work goes on ----------------------------------------------------------------------------------
WORK = {
    "standard library": """
import asyncio, bisect, collections, csv, datetime, decimal, gzip, hashlib, io, itertools, json, math, pickle
import random, re, statistics, tempfile, time, uuid, zlib, zoneinfo
folder = tempfile.mkdtemp(dir=os.environ["FOLDER"])
with open(os.path.join(folder, "a"), "w") as file:
    json.dump({"a": [random.random(), time.time(), str(uuid.uuid4())]}, file)
os.rename(os.path.join(folder, "a"), os.path.join(folder, "b"))
with tempfile.TemporaryFile(dir=folder) as file:
    file.write(gzip.compress(b"x" * 10_000)); file.flush(); os.fsync(file.fileno()); file.truncate(10)
os.listdir(folder); os.stat(folder); os.unlink(os.path.join(folder, "b")); os.rmdir(folder)
zoneinfo.ZoneInfo("Europe/Berlin"); time.sleep(0.001); hashlib.sha256(b"x").digest()
async def nap(): await asyncio.sleep(0.001); return 1
assert asyncio.run(nap()) == 1
""",
    "threads": """
import threading, queue, concurrent.futures
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    assert sum(pool.map(lambda n: n * n, range(100))) == 328350
lock, box = threading.Lock(), queue.Queue()
threads = [threading.Thread(target=lambda: box.put(1)) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
assert box.qsize() == 8
""",
    "numpy": """
import numpy as np
import numpy.linalg, numpy.fft, numpy.random
rng = np.random.default_rng(1)
a = rng.normal(size=(300, 300))
assert np.allclose(np.linalg.inv(a) @ a, np.eye(300), atol=1e-6)
np.linalg.svd(a); np.fft.fft(a); np.sort(a); np.zeros((2000, 2000)).sum()
path = os.path.join(os.environ["FOLDER"], "a.npy")
np.save(path, a); assert (np.load(path, mmap_mode="r") == a).all()
""",
    "numpy with threads": """
os.environ["OPENBLAS_NUM_THREADS"] = "4"
import numpy as np
a = np.random.default_rng(1).normal(size=(500, 500))
assert (a @ a).shape == (500, 500)
""",
    "pandas": """
import pandas as pd, numpy as np
index = pd.date_range("2026-01-01", periods=1000, freq="min", tz="UTC")
frame = pd.DataFrame({"price": np.random.default_rng(1).normal(size=1000).cumsum()}, index=index)
bars = frame["price"].resample("5min").ohlc()
assert len(bars) == 200
path = os.path.join(os.environ["FOLDER"], "a.csv")
frame.to_csv(path); assert len(pd.read_csv(path)) == 1000
frame.rolling(20).mean().dropna().tz_convert("America/New_York")
""",
}


@pytest.mark.parametrize("work", WORK)
def test_real_work_passes_the_strictest_filter(work, tmp_path):
    """Imports included, since a package of the strategy's own is loaded under it; the kill tier is on."""
    if work == "pandas":
        pytest.importorskip("pandas")
    loaded = (
        FILTERED.replace("shared_memory=False", "shared_memory=False, kill=True") + "seccomp.load(prepared)\n"
    )
    paths = f"sys.path += {[path for path in sys.path if 'site-packages' in path]!r}\n"
    assert "worked" == told(with_folder(tmp_path, paths + loaded + WORK[work] + "\nprint(repr('worked'))"))


def test_no_memory_is_a_memory_error():
    outcome = told(
        """
import resource
resource.setrlimit(resource.RLIMIT_DATA, (200 << 20, 200 << 20))
"""
        + LOADED
        + """
try:
    bytearray(1 << 30)
except MemoryError:
    print("True")
"""
    )
    assert outcome is True


def test_a_segmentation_fault_tells_its_stack():
    done = run(LOADED + "import faulthandler; faulthandler.enable()\ndef deep(): ctypes.string_at(0)\ndeep()")
    assert -signal.SIGSEGV == done.returncode
    assert "in deep" in done.stderr


def test_a_stack_is_told_on_a_signal():
    code = """
import faulthandler, signal
faulthandler.register(signal.SIGUSR1)
def here(): os.kill(os.getpid(), signal.SIGUSR1)
here()
"""
    done = run(LOADED + code)
    assert 0 == done.returncode
    assert "in here" in done.stderr


# ---- the warden ------------------------------------------------------------------------------------
WARDEN = """
import array, resource, select, signal, socket, time
sys.path += {paths!r}
from bus import messages, topics
from bus.sockets import CellLink
from sandbox.confine import seccomp
prepared = seccomp.warden_policy()
mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
ward = os.fork()
if ward == 0:
    signal.pause()
pidfd = os.pidfd_open(ward)
no_new_privileges()
seccomp.load(prepared)
"""
WARDEN_ACTS = """
refused = {
    "fork": tried(os.fork),
    "exec": tried(lambda: os.execve("/nonexistent", ["x"], {})),
    "internet": tried(lambda: socket.socket(socket.AF_INET)),
    "datagrams": tried(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)),
    "listen": tried(lambda: mine.listen()),
    "write": tried(lambda: os.open("/dev/null", os.O_WRONLY)),
    "create": tried(lambda: os.open(FOLDER + "/x", os.O_CREAT)),
    "unlink": tried(lambda: os.unlink(FOLDER + "/bus-market")),
    "kill": tried(lambda: os.kill(ward, 0)),
    "kill the parent": tried(lambda: os.kill(os.getppid(), 0)),
    "pidfd": tried(lambda: os.pidfd_open(os.getppid())),
    "pidfd of the peer": tried(lambda: mine.getsockopt(socket.SOL_SOCKET, 77, 4)),
    "limit another": tried(lambda: resource.prlimit(ward, resource.RLIMIT_CORE)),
    "limit itself": tried(lambda: syscall(302, 0, resource.RLIMIT_CORE, bytes(16), 0)),
    "renice another": tried(lambda: os.setpriority(os.PRIO_PROCESS, ward, 5)),
    "memory file": tried(lambda: os.memfd_create("x")),
}
"""
WARDEN_WORK = """
with open("/etc/hostname", "rb"):
    pass
mine.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))])
data, ancillary, _, _ = theirs.recvmsg(10, socket.CMSG_SPACE(4))
handed = array.array("i", ancillary[0][2])[0]
link = CellLink(MARKET, REPORT, "cell:1", TOKEN, [topics.cell("cell")])
deadline, heard = time.monotonic() + 20, []
while not heard and time.monotonic() < deadline:
    link.send(messages.encode(messages.Hello()))
    heard = link.receive(0.02)
link.close(100)
signal.pidfd_send_signal(handed, signal.SIGKILL)
poll = select.poll()
poll.register(pidfd, select.POLLIN)
poll.poll(10_000)
print((refused, [topic for topic, _ in heard][:1], os.waitstatus_to_exitcode(os.wait4(ward, 0)[1])))
"""


def test_a_warden_does_its_work_and_nothing_else(tmp_path):
    """0MQ with its threads started under the filter, a real engine's sockets at the other end."""
    paths = [path for path in sys.path if "site-packages" in path]
    engine = Engine(tmp_path)
    try:
        names = {"MARKET": engine.market_endpoint, "REPORT": engine.report_endpoint, "TOKEN": TOKEN}
        given = "".join(f"{name} = {value!r}\n" for name, value in {**names, "FOLDER": str(tmp_path)}.items())
        child = start(WARDEN.format(paths=paths) + given + WARDEN_ACTS + WARDEN_WORK)
        while child.poll() is None:
            engine.hub.wait(0.01)
    finally:
        engine.close()
    refused, heard, code = answer(finish(child))
    assert dict.fromkeys(refused, "EPERM") == refused
    assert [b"to|cell|"] == heard
    assert -signal.SIGKILL == code
    assert "cell:1" in {user for user, _ in engine.said}
