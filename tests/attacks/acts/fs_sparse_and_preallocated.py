"""Take the whole scratch folder by fallocate and by holes, file by file."""

import os

EXPECT = r"denied:(ENOSPC|EFBIG|EACCES|EROFS|EDQUOT)"


def attack():
    for number in range(1000):
        made = os.open(f"/tmp/big{number}", os.O_CREAT | os.O_RDWR)
        os.posix_fallocate(made, 0, 8 << 20)
        os.close(made)
    return "ESCAPED with 8 GB"
