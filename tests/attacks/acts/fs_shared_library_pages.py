"""Change the pages of a library that every cell has mapped, in place."""

import ctypes
import glob
import mmap
import os

from kit import all_denied, libc
from kit import mmap as map_memory

EXPECT = r"returned:'denied "


def attack():
    path = next(iter(glob.glob("/lib/*/libc.so.6") + glob.glob("/lib*/libc.so.6")))
    library = os.open(path, os.O_RDONLY)

    def unprotect():
        at = map_memory(4096, 1, 1, library)  # PROT_READ, MAP_SHARED
        if libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(4096), 3) != 0:
            raise OSError(ctypes.get_errno(), "mprotect")

    return all_denied(
        open=lambda: os.open(path, os.O_RDWR),
        map=lambda: mmap.mmap(library, 4096, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE),
        unprotect=unprotect,
    )
