"""Install an audit hook, which nobody can remove, that refuses every event."""

import sys

EXPECT = r"returned:'contained|raised|exit|killed|timeout"


def attack():
    def refuse(event, arguments):
        raise RuntimeError(event)

    sys.addaudithook(refuse)
    return "contained"
