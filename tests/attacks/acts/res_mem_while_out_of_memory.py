"""Catch every MemoryError and allocate on, smaller and smaller, until nothing is left to report with."""

EXPECT = r"timeout|killed|raised:MemoryError|exit"


def attack():
    kept, size = [], 64 << 20
    while True:
        try:
            kept.append(bytearray(size))
        except MemoryError:
            size = max(16, size // 2)
