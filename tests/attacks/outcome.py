"""What came of an act, in the words of ``EXPECT``: from what it wrote, or from how it ended. Pure."""

from __future__ import annotations

from sandbox.signames import signal_name
from sandbox.spec import Died

MARK = "@outcome "


def outcome(lines: list[str], died: Died | None) -> str | None:
    """Return the outcome of an act, None if it is not known yet.

    ``denied:ERRNO``, ``raised:TYPE``, ``returned:REPR`` as it wrote itself; else ``timeout`` (the watchdog
    ended it), ``raised:MemoryError`` (the runtime said so), ``killed:SIGNAL`` and the cause, ``exit:CODE``.
    """
    said = next((line.removeprefix(MARK) for line in lines if line.startswith(MARK)), None)
    if said is not None or died is None:
        return said
    match died:
        case Died(cause="hang"):
            return "timeout"
        case Died(cause="oom"):
            return f"raised:MemoryError {died.detail}"
        case Died(signal=int(number)):
            return f"killed:{signal_name(number)} {died.cause}"
        case Died(cause="error"):
            return f"raised:{died.detail}"
    return f"exit:{died.exit_code} {died.cause}"
