"""End the process from a thread, in the middle of a callback, with a code that means success."""

import os
import threading
import time

EXPECT = r"exit:0"


def attack():
    threading.Thread(target=os._exit, args=(0,)).start()
    time.sleep(60)
