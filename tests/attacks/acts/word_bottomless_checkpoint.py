"""Give as state a list in a list in a list, and itself in the end."""

AT = "save_state"
EXPECT = r"returned:'dict'"


def attack():
    bottom = []
    nested = bottom
    for _ in range(100_000):
        nested = [nested]
    bottom.append(nested)
    return {"state": nested}
