"""Claim, in every field that there is, to be the neighbour."""

from bus.messages import Signal

EXPECT = r"returned:'list'"


def attack():
    claim = {"deployment_id": "neighbour-1", "user": "neighbour-1:1"}
    made = []
    for more in ({"tags": claim}, {"metadata": claim}, {"strategy_id": "neighbour-1"}, {}):
        try:
            made.append(
                Signal(symbol="NEIGHBOUR", intent="enter_long", quantity=1.0, reason="answer", **more)
            )
        except TypeError:
            continue
    return made
