"""Spin on every core at once, in threads whose work needs no lock of the interpreter."""

import hashlib
import os
import threading

EXPECT = r"timeout|killed"


def attack():
    def spin(data=bytes(1 << 20)):
        while True:
            hashlib.sha256(data).digest()

    for _ in range(2 * (os.cpu_count() or 1)):
        threading.Thread(target=spin, daemon=True).start()
    spin()
