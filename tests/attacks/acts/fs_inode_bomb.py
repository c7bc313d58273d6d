"""Make empty files without end: each takes an inode and a name in kernel memory, and no byte of a quota."""

import os

EXPECT = r"denied:(ENOSPC|EACCES|EROFS|EDQUOT)"


def attack():
    for number in range(2_000_000):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT | os.O_WRONLY))
    return "ESCAPED with two million files"
