"""Trace and profile every line of the runtime, and raise in the middle of it."""

import sys
import threading

EXPECT = r"returned:'contained|raised|exit|killed|timeout"


def attack():
    def trace(frame, event, argument):
        if frame.f_globals.get("__name__", "").startswith("sandbox."):
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    sys.setprofile(trace)
    threading.settrace(trace)
    frame = sys._getframe()
    while frame:
        frame.f_trace = trace
        frame = frame.f_back
    return "contained"
