"""Deaths as ``describe`` tells them: the newest whole, the others in a line each."""

from __future__ import annotations

from cli.render_deaths import told
from supervisor.schema import Death

AT = 1_700_000_000 * 10**9


def death(generation: int, **fields: object) -> Death:
    return Death.model_validate({
        "cause": "signal", "detail": "SIGSEGV", "at": AT + generation * 10**9, "generation": generation,
        "stack": f"File x.py, line {generation}", "log_tail": [f"said {generation}"], **fields,
    })  # fmt: skip


def test_who_has_not_died_has_nothing_to_tell():
    assert told([]) == ""


def test_the_newest_death_is_whole_and_those_before_it_are_a_line_each():
    lines = told([death(3), death(2), death(1, detail="SIG\x1bBUS")]).splitlines()
    assert {"File x.py, line 3", "said 3"} < {line.strip() for line in lines}
    assert lines[-3] == "before it"
    assert lines[-2].endswith("  signal: SIGSEGV (generation 2)")
    assert lines[-1].endswith("BUS (generation 1)")
    assert "\x1b" not in lines[-1]


def test_the_only_death_has_none_before_it():
    assert "before it" not in told([death(1)])
