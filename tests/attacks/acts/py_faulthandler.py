"""Take away what writes the stack of a hang, flood with stacks instead, then hang."""

import faulthandler
import signal
import time

EXPECT = r"timeout"


def attack():
    faulthandler.disable()
    faulthandler.unregister(signal.SIGUSR1)
    signal.signal(signal.SIGABRT, signal.SIG_IGN)
    faulthandler.dump_traceback_later(0.001, repeat=True)
    time.sleep(10**6)
