"""Make links, hard and symbolic, to what one may not read, and read through them."""

import os

from kit import all_denied

EXPECT = r"returned:'denied "


def attack():
    config, state = CTX["config"], CTX["other_state"]
    return all_denied(
        symbolic=lambda: os.symlink(config, "/tmp/symbolic") or open("/tmp/symbolic").read(),
        hard=lambda: os.link(state, "/tmp/hard") or open("/tmp/hard").read(),
        beside=lambda: os.link(state, f"{state}.2"),
        read=lambda: open("/tmp/../" + config).read(),
    )
