"""Large stacks for threads that recurse in C."""

import threading
import time

EXPECT = r"returned:'stopped at \d{1,2} |raised:|killed|timeout"


def attack():
    threading.stack_size(64 << 20)
    for number in range(100):
        try:
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
        except RuntimeError:
            return f"stopped at {number} "
    return "ESCAPED with 6.4 GiB of stacks"
