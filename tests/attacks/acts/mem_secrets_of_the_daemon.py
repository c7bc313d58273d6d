"""Search all memory that the zygote left for the daemon's key, a cell's token, and a neighbour's parameters."""

import re

from kit import memory

EXPECT = r"returned:'clean"
# As patterns that do not match their own text.
SECRETS = (rb"exchange-key-[0-9a-f]{32}", rb"secret-o[f]-the-cel[l]", rb"of-the-nei[g]hbour")


def attack():
    found, size = set(), 0
    for piece in memory():
        size += len(piece)
        found |= {hit[:60] for pattern in SECRETS for hit in re.findall(pattern, piece)}
    return f"ESCAPED {sorted(found)}" if found else f"clean, {size >> 20} MiB read"
