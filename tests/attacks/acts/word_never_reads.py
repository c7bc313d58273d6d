"""Take the runtime's ear away, so that no order is read any more and the socket fills."""

import gc
import time

BRIEF = True  # what follows is a hang
EXPECT = r"returned:'contained"


def attack():
    from sandbox.speech import Speech

    Speech.hear = lambda *_: time.sleep(10**6)
    return f"contained {len([o for o in gc.get_objects() if isinstance(o, Speech)])}"
