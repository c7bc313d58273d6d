"""Give as state a hundred megabytes, a hundred times the same."""

AT = "save_state"
EXPECT = r"returned:'dict'|raised:MemoryError"


def attack():
    block = bytes(1 << 20)
    return {str(number): block for number in range(100)}
