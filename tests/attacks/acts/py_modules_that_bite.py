"""Fill the table of modules with objects that hang, raise, or are no modules."""

import sys

EXPECT = r"returned:'contained|raised|exit|timeout"


class Biting:
    def __getattr__(self, name):
        raise SystemExit(name)


def attack():
    for name in list(sys.modules):
        if name not in {"sys", "builtins", "act"}:
            sys.modules[name] = Biting()
    sys.meta_path[:] = [Biting()]
    sys.path_hooks[:] = []
    return "contained"
