"""Say by the means that strategies are given, and without end, what they are given them for."""

import sys

BRIEF = True
EXPECT = r"timeout|killed:SIGKILL protocol"


def attack():
    ctx = sys._getframe(2).f_locals["self"].ctx
    number, text = 0, "\x1b[2J" + "x" * 20_000
    while True:
        number += 1
        ctx.log.info(text)
        ctx.record(f"metric{number}", float(number))
