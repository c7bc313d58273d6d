"""Search all memory for where the code of other cells lies, which the zygote was told before this one was born."""

import re

from kit import memory

EXPECT = r"returned:'clean"


def attack():
    found, sighted = set(), False
    for piece in memory():
        found |= set(re.findall(rb"/[!-~]{3,200}/code/nei[g]hbour", piece))
        sighted = sighted or b"on_candle_complete" in piece
    if not sighted:
        return "ESCAPED notice: nothing of what must be there was found"
    return f"ESCAPED {sorted(found)}" if found else "clean"
