"""Stack rulesets of Landlock, sixteen of which are the most that there can be, so that others fail."""

from kit import all_denied, syscall

EXPECT = r"returned:'denied |killed:SIGSYS"


def attack():
    return all_denied(
        version=lambda: syscall(444, None, 0, 1),
        make=lambda: syscall(444, (1).to_bytes(8, "little"), 8, 0),
        rule=lambda: syscall(445, 3, 1, bytes(12), 0),
        restrict=lambda: syscall(446, 3, 0),
    )
