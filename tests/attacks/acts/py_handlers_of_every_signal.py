"""Handle every signal by an exception, and let a timer raise it in the middle of the runtime."""

import signal

EXPECT = r"returned:'contained|raised|exit|killed|timeout"


def attack():
    def handler(number, frame):
        raise GeneratorExit(number)

    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, handler)
        except (OSError, ValueError):
            continue
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.0001)
    return "contained"
