"""Write to every page that is shared with the zygote: each becomes a copy of one's own."""

import gc

EXPECT = r"returned:'contained|raised:MemoryError|killed|timeout"


def attack():
    gc.unfreeze()
    for _ in range(3):
        gc.collect()
    return f"contained, {len([id(o) for o in gc.get_objects()])} objects"
