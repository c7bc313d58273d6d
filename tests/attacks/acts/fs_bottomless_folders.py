"""Nest folders without end: paths that no tool can name any more, and a recursion for whoever removes them."""

import os

EXPECT = r"denied:(ENOSPC|EACCES|EROFS|EDQUOT|ENAMETOOLONG)|timeout"


def attack():
    os.chdir("/tmp")
    for _ in range(2_000_000):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    return "ESCAPED two million folders down"
