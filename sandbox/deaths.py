"""Why a strategy process is gone: one cause and one sentence, from what is known. Pure."""

from __future__ import annotations

from sandbox import protocol
from sandbox.exchange import Ending
from sandbox.fork import EXIT_BUG
from sandbox.lines import harmless_text
from sandbox.settling import EXIT_UNCONFINED
from sandbox.signames import signal_name
from sandbox.spec import Cause, Died
from sandbox.ward import Death

STACK = 64 * 1024
"""Characters of a stack in a report (``spec.Died``)."""


def died(death: Death, decided: Ending | None, last: protocol.Word | None, call: str, output: str) -> Died:
    """Return the last report of a warden.

    ``decided`` is our own decision to end it, ``last`` its last word, ``call`` the callback that ran or
    ran last, ``output`` the end of its stderr. Detail and stack are shown on terminals, and may be the
    strategy's own words: their control characters are written out.
    """
    cause, detail = _cause(death, decided, last, call, output)
    return Died(
        cause=cause,
        detail=harmless_text(detail[:4096])[:4096],
        exit_code=death.exit_code,
        signal=death.signal,
        stack=_stack(output),
        peak_memory=death.peak_memory,
        cpu_time=death.cpu_time,
        last_event=call,
    )


def _cause(
    death: Death, decided: Ending | None, last: protocol.Word | None, call: str, output: str
) -> tuple[Cause, str]:
    if decided is not None:
        return decided.cause, decided.detail
    match last:
        case protocol.Refused(reason=reason):
            return "load_error", reason
        case protocol.OutOfMemory():
            return "oom", f"{call} was refused memory: the limit of the strategy is reached"
        case protocol.GaveUp(reason=reason):
            return "error", reason
        case protocol.Done(final=True) if death.exit_code == 0:
            return "exit", "stopped"
    if death.signal is not None:
        return "signal", f"{signal_name(death.signal)} while {call} ran or was the last to run"
    if death.exit_code == EXIT_UNCONFINED and last is None:
        return "error", output.strip().rpartition("\n")[2]
    if death.exit_code == EXIT_BUG and "MemoryError" in output:
        return "oom", f"out of memory after {call}, too little left to say so"
    return "exit", f"exit code {death.exit_code}; {call} ran or was the last to run"


def _stack(output: str) -> str:
    """Return what faulthandler wrote (Modules/faulthandler.c: "Fatal Python error: ..."), or ``""``."""
    at = output.rfind("Fatal Python error:")
    return "" if at < 0 else harmless_text(output[at:])[:STACK]
