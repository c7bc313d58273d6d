"""Write what rewrites a terminal: escape sequences, carriage returns, line separators, half characters."""

import os

EXPECT = r"returned:'contained"


def attack():
    text = b"\x1b]0;owned\x07\x1b[2J\x1b[1;1H\x9b2J\r\x00\x08\x7f\xc2\x9b2J\xff\xfe\xe2\x80\xa8\xe2\x80\xae txt.exe"
    for descriptor in (1, 2):
        os.write(descriptor, text + b"\n")
        os.write(descriptor, bytes(range(256)) * 10 + b"\n")
    print("\x1b[31mred\x1b]52;c;Zm9v\x07", "\N{RIGHT-TO-LEFT OVERRIDE}", "\ud800", flush=True)
    return "contained"
