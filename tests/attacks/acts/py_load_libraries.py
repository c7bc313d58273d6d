"""Load every library that can be found, for what its start-up does: telemetry, files, threads."""

import ctypes
import glob

EXPECT = r"returned:'contained|raised:MemoryError|killed|timeout"


def attack():
    loaded = 0
    for path in sorted(glob.glob("/usr/lib/*/lib[a-d]*.so*"))[:60]:
        try:
            ctypes.CDLL(path)
            loaded += 1
        except OSError:
            continue
    return f"contained, {loaded} loaded"
