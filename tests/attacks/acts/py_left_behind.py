"""Leave threads, exit handlers and finalisers behind that never end."""

import atexit
import sys
import threading
import time
import weakref

EXPECT = r"returned:'contained"


class Finalised:
    def __del__(self):
        while True:
            pass


def attack():
    def forever(*_):
        while True:
            time.sleep(0.001)

    for _ in range(5):
        threading.Thread(target=forever).start()
    atexit.register(forever)
    threading._register_atexit(forever)
    sys.excepthook = sys.unraisablehook = threading.excepthook = forever
    sys.kept = Finalised()
    weakref.finalize(sys.kept, forever)
    return "contained"
