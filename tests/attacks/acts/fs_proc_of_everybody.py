"""Read and write what /proc has of others, of itself and of the kernel."""

import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    reads = [f"/proc/{CTX['victim_pid']}/{name}" for name in ("mem", "environ", "maps", "fd", "root", "cwd")]
    reads += [
        "/proc/1/environ",
        "/proc/self/environ",
        "/proc/self/maps",
        "/proc/self/mem",
        "/proc/thread-self/stat",
    ]
    reads += [
        "/proc/keys",
        "/proc/kallsyms",
        "/proc/kcore",
        "/proc/net/unix",
        "/proc/mounts",
        "/proc/cmdline",
    ]
    writes = ["core_pattern", "modprobe", "hostname", "ns_last_pid", "sysrq"]
    return all_denied(
        **{f"r{i}": lambda p=path: os.open(p, os.O_RDONLY) for i, path in enumerate(reads)},
        **{
            f"w{i}": lambda n=name: os.open(f"/proc/sys/kernel/{n}", os.O_WRONLY)
            for i, name in enumerate(writes)
        },
        trigger=lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY),
        score=lambda: os.open("/proc/self/oom_score_adj", os.O_WRONLY),
        filter=lambda: os.open("/proc/self/uid_map", os.O_WRONLY),
    )
