"""What a process of the service can do: tries each thing and prints {what: "ok" or the name of an error}.

Run by ``hardening`` in a copy of the unit, as the service's user, under every directive of it.
"""

from __future__ import annotations

import ctypes
import errno
import json
import mmap
import os
import resource
import signal
import socket
import stat
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)
# include/uapi/asm-generic and linux headers, x86_64
PTRACE, PERSONALITY, MODIFY_LDT, UNSHARE, SCHED_SETSCHEDULER = 101, 135, 154, 272, 144
SYSFS, IOPERM, ADJTIMEX, KEYCTL = 139, 173, 159, 250
KEYCTL_DESCRIBE, KEY_SPEC_SESSION_KEYRING = 6, -3
NEW_CGROUP, NEW_TIME, NEW_USER, NEW_UTS, NEW_NS = 0x02000000, 0x80, 0x10000000, 0x04000000, 0x00020000
GET_NO_NEW_PRIVS = 39
STATE = os.environ.get("STATE_DIRECTORY", "/var/lib")


def call(number: int, *arguments: object) -> int:
    """Make a system call; ``OSError`` as it fails."""
    result: int = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def outcome(act: Callable[[], object]) -> str:
    """Return how one thing ended."""
    try:
        found = act()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    return "ok" if found is None else str(found)


def apart(act: Callable[[], object]) -> str:
    """Do it in a child, whom it may end or change for good."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, outcome(act).encode())
        os._exit(0)
    os.close(writing)
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return os.read(reading, 100).decode()


def read_only(path: str) -> str:
    """Say whether a mount is."""
    return "read-only" if os.statvfs(path).f_flag & os.ST_RDONLY else "writable"


def set_user_id() -> None:
    """Make a set-user-ID program of one's own."""
    with tempfile.NamedTemporaryFile() as file:
        os.chmod(file.name, stat.S_ISUID | 0o700)  # noqa: PTH101


def foreign_call() -> int:
    """Make a system call of the 32-bit ABI: getpid, number 20, by interrupt 0x80.

    From a file, since memory that is written is never run here.
    """
    libc.mmap.restype = ctypes.c_void_p
    with tempfile.TemporaryFile(dir=STATE) as file:
        file.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3".ljust(mmap.PAGESIZE, b"\xc3"))
        file.flush()
        flags = (mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, file.fileno())
        address = libc.mmap(None, ctypes.c_size_t(mmap.PAGESIZE), *flags, ctypes.c_long(0))
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(address)())


def in_a_cell() -> None:
    """Do what a cell begins with: namespaces, a host name, a mount."""
    call(UNSHARE, NEW_USER | NEW_UTS | NEW_NS)
    socket.sethostname("cell")


def send(address: str) -> None:
    """Send one datagram."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (address, 9))


def close(make: Callable[[], socket.socket]) -> None:
    """Make a socket, and let go of it."""
    make().close()


def writable_code() -> None:
    """Map memory that can be written and run."""
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


def status(name: str) -> str:
    """Return a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{name}:"))


def session_keyring() -> str:
    """Return the name of the session keyring: "_uid_ses.UID" is one that is shared (keyrings(7))."""
    text = ctypes.create_string_buffer(200)
    call(KEYCTL, KEYCTL_DESCRIBE, ctypes.c_long(KEY_SPEC_SESSION_KEYRING), text, ctypes.c_long(len(text)))
    return text.value.decode().rpartition(";")[2]


def most_tasks() -> str:
    """Return ``pids.max`` of the group that this process is in."""
    group = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
    return Path(f"/sys/fs/cgroup{group}/pids.max").read_text().strip()


def realtime() -> int:
    """Ask for SCHED_FIFO, which the probe's own RLIMIT_RTPRIO would allow."""
    return call(SCHED_SETSCHEDULER, 0, 1, ctypes.byref(ctypes.c_int(1)))


PROBES: dict[str, Callable[[], object]] = {
    "NoNewPrivileges": lambda: libc.prctl(GET_NO_NEW_PRIVS, 0, 0, 0, 0),
    "CapabilityBoundingSet": lambda: int(status("CapBnd"), 16),
    "AmbientCapabilities": lambda: int(status("CapAmb"), 16),
    "ProtectSystem": lambda: read_only("/usr"),
    "ProtectSystem of /etc": lambda: read_only("/etc"),
    "StateDirectory": lambda: read_only(STATE),
    "ProtectHome": lambda: oct(os.stat("/root").st_mode & 0o777),  # noqa: PTH116
    "PrivateTmp": lambda: os.path.exists("/tmp/host-test-marker"),  # noqa: PTH110
    "PrivateMounts": lambda: os.readlink("/proc/self/ns/mnt") != sys.argv[1],  # noqa: PTH115
    "PrivateDevices": lambda: sorted({"kmsg", "mem", "port", "vda", "console"} & set(os.listdir("/dev"))),  # noqa: PTH208
    "DevicePolicy": lambda: os.close(os.open(sys.argv[2], os.O_RDONLY)),
    "ProtectKernelTunables": lambda: read_only("/proc/sys"),
    "ProtectKernelModules": lambda: (
        Path("/usr/lib/modules").exists() and os.access("/usr/lib/modules", os.R_OK)
    ),
    "ProtectKernelLogs": lambda: os.path.exists("/dev/kmsg"),  # noqa: PTH110
    "RestrictRealtime": realtime,
    "RestrictSUIDSGID": set_user_id,
    "LockPersonality": lambda: call(PERSONALITY, 0x0040000),
    "MemoryDenyWriteExecute": writable_code,
    "SystemCallArchitectures": foreign_call,
    "RestrictAddressFamilies": lambda: close(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)),
    "IPAddressDeny": lambda: send("192.0.2.1"),
    "IPAddressAllow": lambda: send("127.0.0.1"),
    "RestrictNamespaces of cgroup": lambda: call(UNSHARE, NEW_USER | NEW_CGROUP),
    "RestrictNamespaces of a cell": in_a_cell,
    "SystemCallFilter @debug": lambda: call(PTRACE, 0, 0, 0, 0),
    "SystemCallFilter @cpu-emulation": lambda: call(MODIFY_LDT, 0, None, 0),
    # What an ordinary user could do or would be refused for another reason (EFAULT): else nothing is shown.
    "SystemCallFilter @clock": lambda: call(ADJTIMEX, None),
    "SystemCallFilter @raw-io": lambda: call(IOPERM, 0, 1, 0),
    "SystemCallFilter @obsolete": lambda: call(SYSFS, 3),
    "KeyringMode": session_keyring,
    "TasksMax": most_tasks,
    "UMask": lambda: oct(os.umask(0o077)),
    "LimitCORE": lambda: resource.getrlimit(resource.RLIMIT_CORE),
    "LimitNOFILE": lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[1],
    "OOMScoreAdjust": lambda: int(Path("/proc/self/oom_score_adj").read_text()),
}

if __name__ == "__main__":
    print(json.dumps({name: apart(act) for name, act in PROBES.items()}))
