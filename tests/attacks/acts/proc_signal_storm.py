"""Signal itself as fast as it can, with handlers that nest, until the queue of pending signals is full."""

import os
import signal

EXPECT = r"returned:'contained|raised:RecursionError|timeout|killed"


def attack():
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, *range(signal.SIGRTMIN, signal.SIGRTMAX)):
        signal.signal(number, lambda *_: None)
    for _ in range(500):
        for number in range(signal.SIGRTMIN, signal.SIGRTMAX):
            os.kill(os.getpid(), number)
    return "contained"
