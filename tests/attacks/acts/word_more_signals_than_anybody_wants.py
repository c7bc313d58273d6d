"""Answer one tick with two hundred thousand signals, each as large as it may be."""

from bus.messages import Signal

BRIEF = True
EXPECT = r"returned:'list'"


def attack():
    one = Signal(
        symbol="EURUSD", intent="enter_long", quantity=1.0, reason="\N{RIGHT-TO-LEFT OVERRIDE}" * 200
    )
    return [one] * 200_000
