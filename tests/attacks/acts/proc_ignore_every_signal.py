"""Block and ignore every signal there is, SIGTERM and SIGABRT among them, and go on for ever."""

import signal

EXPECT = r"timeout"


def attack():
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    while True:
        pass
