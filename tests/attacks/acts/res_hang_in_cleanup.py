"""Swallow the order to stop, and every exception that would end it."""

import time

AT = "cleanup"
EXPECT = r"timeout"


def attack():
    while True:
        try:
            time.sleep(0.1)
        except BaseException:
            continue
