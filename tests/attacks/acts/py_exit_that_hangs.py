"""Leave by an exception whose text never ends to be made."""

import time

EXPECT = r"timeout|exit|raised"


class Endless:
    def __str__(self):
        time.sleep(10**6)
        return ""


def attack():
    raise SystemExit(Endless())
