"""Walk the frames above, and what their names hold, for secrets and for what belongs to other cells."""

import sys

EXPECT = r"returned:'clean"


def attack():
    frame, seen, wrong = sys._getframe().f_back, 0, []
    while frame is not None:
        for name, value in frame.f_locals.items():
            seen += 1
            text = repr(value)
            if any(word in text for word in ("ipc:/" + "/", "neighbour" + "-1", "CellSpec" + "(")):
                wrong.append(f"{frame.f_code.co_name}.{name}")
        frame = frame.f_back
    return f"ESCAPED {wrong}" if wrong else f"clean, {seen} names"
