"""Never come back from initialize."""

import time

AT = "initialize"
EXPECT = r"timeout"


def attack():
    time.sleep(10**6)
