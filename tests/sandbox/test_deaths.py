from __future__ import annotations

import pytest

from sandbox import protocol
from sandbox.deaths import died
from sandbox.exchange import Ending
from sandbox.ward import Death


def death(code: int | None = None, signal: int | None = None) -> Death:
    return Death(code, signal, 5, 0.5)


RAN = "f ran or was the last to run"


@pytest.mark.parametrize(
    ("how", "knowledge", "told"),
    [
        (death(0), (None, protocol.Done(1, final=True), ""), ("exit", "stopped")),
        (death(1), (None, protocol.Done(1, final=True), ""), ("exit", f"exit code 1; {RAN}")),
        (death(3), (None, None, ""), ("exit", f"exit code 3; {RAN}")),
        (death(None, 11), (None, None, ""), ("signal", f"SIGSEGV while {RAN}")),
        (death(None, 250), (None, None, ""), ("signal", f"signal 250 while {RAN}")),
        (death(64), (None, protocol.Refused("load", "why"), ""), ("load_error", "why")),
        (
            death(1),
            (None, protocol.OutOfMemory("g"), ""),
            ("oom", "f was refused memory: the limit of the strategy is reached"),
        ),
        (
            death(70),
            (None, None, "MemoryError\n"),
            ("oom", "out of memory after f, too little left to say so"),
        ),
        (death(70), (None, None, "OSError\n"), ("exit", f"exit code 70; {RAN}")),
        (death(1), (None, protocol.GaveUp("5 in a row"), ""), ("error", "5 in a row")),
        (death(None, 6), (Ending("hang", "too long"), protocol.Done(1), ""), ("hang", "too long")),
    ],
)
def test_every_end_has_one_cause_and_one_sentence(how, knowledge, told):
    decided, last, output = knowledge
    report = died(how, decided, last, "f", output)
    assert (report.cause, report.detail, report.last_event) == (*told, "f")
    assert (report.exit_code, report.signal, report.peak_memory, report.cpu_time) == how


def test_the_stack_is_what_faulthandler_wrote_last():
    output = "warning\nFatal Python error: Aborted\n\nold\nFatal Python error: Aborted\n\nCurrent thread\n"
    assert (
        died(death(None, 6), None, None, "f", output).stack
        == "Fatal Python error: Aborted\n\nCurrent thread\n"
    )
    assert died(death(1), None, None, "f", "Traceback").stack == ""
