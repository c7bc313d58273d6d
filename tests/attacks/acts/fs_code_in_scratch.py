"""Map executable what was written to the scratch folder, which is mounted noexec."""

import mmap
import os

EXPECT = r"denied:(EPERM|EACCES|EROFS)"


def attack():
    made = os.open("/tmp/code", os.O_CREAT | os.O_RDWR)
    os.write(made, b"\xc3" * 4096)
    mmap.mmap(made, 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC)
    return "ESCAPED"
