"""An upgrade that fails: the version before gets its state directory back, unless the new one has traded."""

from __future__ import annotations

import pytest

from cli.commands import systemd
from cli.errors import DONE, FAILED, REFUSED, USAGE, CommandError
from cli.service import plan
from cli.service.plan import Found, told

BEFORE = Found(user=True, current="1.0.0", releases=["1.0.0", "2.0.0"], texts={}, command=None, systemd=252)


class FakeShell:
    """Takes no step; ``answers`` are what ``stratd storage revert`` says for each service."""

    here = True

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.done: list[str] = []
        self.starts = ["", ""]

    def look(self) -> Found:
        return BEFORE._replace(current="2.0.0")

    def take(self, steps) -> None:
        self.done += map(told, steps)

    def give_back(self, release: str, service: str, since: int) -> tuple[int, str]:
        self.done.append(f"{release} gives back {service} since {since}")
        return self.answers.pop(0)

    def try_start(self, services) -> str:
        self.done.append(f"start {' '.join(services)}")
        return self.starts.pop(0)


def go_back(shell: FakeShell) -> CommandError:
    with pytest.raises(CommandError) as raised:
        systemd._go_back(shell, BEFORE, "2.0.0", ["stratd.service", "stratd@fx.service"], "not ready", 7)
    return raised.value


@pytest.mark.parametrize("answer", [(DONE, "given back"), (USAGE, "no such command"), (FAILED, "in use")])
def test_each_daemon_is_stopped_its_state_given_back_and_then_the_old_version_started(answer):
    shell = FakeShell(answer, answer)
    ended = go_back(shell)
    assert shell.done == [
        "systemctl stop stratd.service",
        "systemctl stop stratd@fx.service",
        "2.0.0 gives back stratd.service since 7",
        "2.0.0 gives back stratd@fx.service since 7",
        f"link {plan.CURRENT} -> releases/1.0.0",
        "systemctl daemon-reload",
        "start stratd.service stratd@fx.service",
    ]
    assert (ended.code, ended.lines) == (FAILED, ("not ready; 1.0.0 was put back and runs",))


def test_a_version_that_has_traded_stays_and_the_line_says_why():
    shell = FakeShell((REFUSED, "stratd: 3 signals were accepted since"))
    ended = go_back(shell)
    assert [line for line in shell.done if line.startswith("link")] == []
    assert shell.done[-1] == "start stratd.service stratd@fx.service"
    assert ended.lines == (
        "not ready",
        "2.0.0 stays, and is tried again: stratd: 3 signals were accepted since",
    )


def test_it_is_done_as_the_service_on_what_the_service_runs_on():
    command = plan.give_back("2.0.0", "stratd", ["STRATD_STATE_DIR=/var/lib/stratd-fx"], 7)
    assert " ".join(command) == (
        "runuser -u stratd -- env STRATD_STATE_DIR=/var/lib/stratd-fx "
        "/opt/stratd/releases/2.0.0/bin/stratd storage revert --since 7"
    )
