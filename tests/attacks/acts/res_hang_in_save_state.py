"""Never come back from save_state, with a lock on everything that could tell."""

import threading

AT = "save_state"
EXPECT = r"timeout"


def attack():
    threading.Event().wait()
