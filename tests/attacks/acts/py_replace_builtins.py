"""Replace what every line of the runtime uses: len, isinstance, print, the exceptions themselves."""

import builtins

EXPECT = r"returned:'contained"


def attack():
    text = "contained"
    for name in (
        "len",
        "print",
        "open",
        "getattr",
        "super",
        "type",
        "MemoryError",
        "Exception",
        "SystemExit",
    ):
        setattr(builtins, name, None)
    return text
