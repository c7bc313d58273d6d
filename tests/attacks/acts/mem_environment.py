"""Look for what a daemon has in its environment, in Python's copy and in the kernel's."""

import ctypes
import os

EXPECT = r"returned:'clean"
KNOWN = {
    "PATH", "LANG", "HOME", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX",
    "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "ORT_DISABLE_TELEMETRY", "LC_CTYPE",
}  # fmt: skip


def attack():
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found, number = set(os.environ), 0
    while environ[number]:
        found.add(environ[number].split(b"=")[0].decode())
        number += 1
    # What lies behind the last variable on the stack of the exec is the rest of the kernel's copy.
    return f"ESCAPED {found - KNOWN}" if found - KNOWN else f"clean {len(found)}"
