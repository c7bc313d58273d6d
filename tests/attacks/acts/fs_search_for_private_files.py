"""Walk everything that can be seen, and look for what only the daemon may read."""

import os
import sys

EXPECT = r"returned:'clean"


def attack():
    skipped = ("/usr", "/lib", "/bin", "/sbin", "/sys", sys.prefix, sys.base_prefix)
    marker = "what no " + "strategy may read"
    seen, hits = 0, []
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if not os.path.join(folder, name).startswith(skipped)]
        for name in files:
            path = os.path.join(folder, name)
            try:
                with open(path, errors="replace") as file:
                    seen += 1
                    if marker in file.read(100_000) and "fs_search" not in path:
                        hits.append(path)
            except OSError:
                continue
    return f"ESCAPED {hits}" if hits else f"clean, {seen} files seen"
