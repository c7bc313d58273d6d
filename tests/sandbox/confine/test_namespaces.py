"""What namespaces alone stop: each act is tried with them and without."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from sandbox.fork import fork_alone_through
from tests.sandbox.confine.alone import alone, as_ordinary_user, needs

pytestmark = pytest.mark.system

ENTER = """
from sandbox.confine import namespaces
if os.geteuid() != 0:
    namespaces.enter_user_namespace()
namespaces.leave_host()
"""


@pytest.fixture(autouse=True, params=["as we are", "ordinary user"])
def before(request: pytest.FixtureRequest) -> list[str]:
    command = as_ordinary_user() if request.param == "ordinary user" else []
    needs(ENTER, "namespaces", before=command)
    return command


def test_nothing_on_the_host_can_be_reached_over_the_network(before: list[str]):
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = """
            def reach():
                socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5).close()
            attempt("before", reach)
            exec(sys.argv[2])
            attempt("after", reach)
        """
        said = alone(script, str(server.getsockname()[1]), ENTER, before=before)
    assert said == ["before None", "after ENETUNREACH"]


def test_abstract_sockets_of_the_host_are_not_there(before: list[str]):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(b"")  # the kernel chooses an abstract name (unix(7))
        server.listen()
        said = alone(
            """
            def reach():
                with socket.socket(socket.AF_UNIX) as one:
                    one.connect(b"\\0" + sys.argv[1].encode())
            attempt("before", reach)
            exec(sys.argv[2])
            attempt("after", reach)
            """,
            server.getsockname()[1:].decode(), ENTER, before=before,
        )  # fmt: skip
    assert said == ["before None", "after ECONNREFUSED"]


def test_the_name_of_the_host_and_its_system_v_objects_are_hidden(before: list[str]):
    said = alone(ENTER + "print(socket.gethostname())\nprint(open('/proc/sysvipc/shm').read().count('\\n'))",
                 before=before)  # fmt: skip
    assert said == ["cell", "1"]  # the header line


@pytest.mark.parametrize("way", ["fork_alone", "fork_alone_through"])
def test_the_next_child_is_alone_among_pids_and_the_one_after_it_too(before: list[str], way: str):
    if way == "fork_alone" and (before or os.geteuid() != 0):
        pytest.skip("without privilege there is no way back to our PID namespace: see fork_alone_through")
    said = alone(
        ENTER
        + f"""
from sandbox.confine.process import become_subreaper
from sandbox.fork import fork, {way} as fork_it
become_subreaper()
def look():
    print(os.getpid(), os.getppid())
    attempt("kill", lambda: os.kill(int(sys.argv[1]), 0))
    sys.stdout.flush()
sys.argv.append(str(os.getpid()))
for _ in range(2):
    pid = fork_it(look)
    assert os.waitpid(pid, 0) == (pid, 0)
pid = fork(lambda: (print(os.getpid() > 1), sys.stdout.flush()))
assert os.waitpid(pid, 0) == (pid, 0)
""",
        before=before,
    )
    assert said == ["1 0", "kill ESRCH", "1 0", "kill ESRCH", "True"]


def test_everything_in_a_pid_namespace_ends_with_its_first_process(before: list[str]):
    said = alone(
        ENTER
        + """
from sandbox.confine.process import become_subreaper
from sandbox.fork import fork, fork_alone_through
import signal, time
become_subreaper()
reading, writing = os.pipe()
def first():
    def hidden():
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.pause()
    for _ in range(3):
        fork(hidden)
    os.write(writing, b"x")
    signal.pause()
pid = fork_alone_through(first)
os.read(reading, 1)
os.close(writing)
os.kill(pid, signal.SIGKILL)
print(os.waitpid(pid, 0)[1], os.read(reading, 1))  # the end of the pipe: nobody holds it any more
""",
        before=before,
    )
    assert said == ["9 b''"]


def test_a_fork_that_the_kernel_refuses_is_an_error_of_the_caller(before: list[str]):
    said = alone(
        ENTER
        + """
from sandbox.fork import fork_alone_through
open("/proc/sys/user/max_pid_namespaces", "w").write("0")
attempt("fork", lambda: fork_alone_through(lambda: None))
""",
        before=[*UNPRIVILEGED_BUT_OWNER],
    )
    assert said == ["fork ENOSPC"]


UNPRIVILEGED_BUT_OWNER = ("unshare", "--user", "--map-root-user")
"""In a user namespace of our own, where this limit is ours to set (namespaces(7))."""


def test_a_fork_that_is_refused_leaves_no_descriptor_open(monkeypatch: pytest.MonkeyPatch):
    """A host at its limit of processes refuses every start, and the zygote must outlive all of them."""

    def refused(_child: object) -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("sandbox.fork.fork", refused)
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(BlockingIOError):
        fork_alone_through(lambda: None)
    assert before == set(os.listdir("/proc/self/fd"))  # noqa: PTH208
