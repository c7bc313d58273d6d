"""Spin when it is told to stop."""

AT = "on_stop"
EXPECT = r"timeout"


def attack():
    while True:
        pass
