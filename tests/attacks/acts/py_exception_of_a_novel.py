"""Raise, out of a callback, an exception whose text is a novel that steers terminals, again and again."""

import sys

EXPECT = r"returned:'contained"


class Novel(Exception):
    def __str__(self):
        return "\x1b]0;owned\x07\x9b2J\u202e\u2028" * 100_000


def attack():
    strategy = sys._getframe(2).f_locals["self"]

    def on_tick(data):
        raise Novel

    strategy.on_tick = on_tick
    type(strategy).on_tick = lambda self, data: on_tick(data)
    return "contained"
