"""Plant code where other cells, or the daemon, would import it: packages, caches, its own folder."""

import os
import sys

import numpy
from kit import all_denied

import sandbox
import strategies

EXPECT = r"returned:'denied "


def attack():
    own = os.path.dirname(sys.modules["kit"].__file__)
    targets = [
        f"{os.path.dirname(numpy.__file__)}/evil.pth",
        f"{os.path.dirname(os.path.dirname(numpy.__file__))}/evil.pth",
        f"{os.path.dirname(os.__file__)}/sitecustomize.py",
        f"{os.path.dirname(sandbox.__file__)}/evil.py",
        f"{os.path.dirname(strategies.__file__)}/__pycache__/api.pyc",
        f"{own}/strategy.py",
        f"{own}/__pycache__",
        f"{os.path.dirname(CTX['other_code'])}/__pycache__/strategy.pyc",
    ]
    return all_denied(**{f"t{i}": lambda p=path: open(p, "ab") for i, path in enumerate(targets)})
