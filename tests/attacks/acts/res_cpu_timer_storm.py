"""Be interrupted by its own timer every microsecond, between any two instructions of the runtime."""

import signal

EXPECT = r"returned:'contained|raised|timeout|killed|exit"


def attack():
    signal.signal(signal.SIGALRM, lambda *_: None)
    for timer in (signal.ITIMER_REAL,):
        signal.setitimer(timer, 1e-6, 1e-6)
    for _ in range(200_000):
        pass
    return "contained"
