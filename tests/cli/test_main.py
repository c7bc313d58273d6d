"""The contract of docs/cli.md: every verb's exit codes, one line on stderr, one document on stdout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from cli import errors
from cli.main import app
from supervisor.errors import Failed, Invalid, Refused
from supervisor.schema import ActionResult, Outcome
from tests.supervisor.fake_money import latch

pytestmark = pytest.mark.system

READING = ["status", "ps", "describe eurusd", "events", "signals", "signals eurusd", "strategies", "feeds"]
CHANGING = [
    "start eurusd", "stop eurusd", "pause --all", "resume --account default", "restart eurusd gold",
    "reset-failed gold", "remove idle",
]  # fmt: skip
NO_NOPE = "stratd: no deployment 'nope' (`stratd ps` lists what there is)\n"
BACKING_OFF = Outcome(id="gold", state="backoff", changed=True)
OTHERS = ["logs eurusd", "top"]
NEEDS_DAEMON = [*READING, *CHANGING, *OTHERS]


# ---- 0 --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("line", NEEDS_DAEMON)
def test_every_verb_ends_with_0_and_an_empty_stderr_when_it_is_done(served, stratd, line):
    ended = stratd(line)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out


@pytest.mark.parametrize("line", [line for line in READING if not line.startswith(("events", "signals"))])
def test_read_verbs_print_exactly_one_json_document(served, stratd, line):
    ended = stratd(f"{line} --json")
    assert (ended.code, ended.err) == (0, "")
    assert isinstance(ended.json, list | dict)


@pytest.mark.parametrize("line", ["events", "signals", "signals eurusd"])
def test_events_and_signals_are_json_lines(served, stratd, line):
    ended = stratd(f"{line} --json")
    assert all(isinstance(json.loads(text), dict) for text in ended.out.splitlines())
    assert ended.out.count("\n") == len(ended.out.splitlines()) > 0


def test_ps_json_is_what_the_daemon_said(served, stratd, daemon):
    assert stratd("ps --json").json == [row.model_dump() for row in daemon.rows.values()]


def test_the_lag_of_a_recording_is_told_in_hours_and_to_programs_in_milliseconds(served, stratd, daemon):
    daemon.rows["eurusd"] = daemon.rows["eurusd"].model_copy(update={"lag_ms": 7_384_000.5})
    daemon.lag_ms = 86_393_219.4
    feeds, ps = stratd("feeds"), stratd("ps")
    assert ("23h59m" in feeds.out, "2h03m" in ps.out, "86393219" in feeds.out) == (True, True, False)
    assert "2h03m" in stratd("describe eurusd").out
    assert stratd("feeds --json").json[0]["lag_ms"] == 86_393_219.4
    assert stratd("ps --json").json[0]["lag_ms"] == 7_384_000.5


@pytest.mark.parametrize("line", ["ps", "describe eurusd"])
def test_a_person_is_told_that_a_feed_brings_nothing_and_a_program_gets_its_table_alone(
    served, stratd, daemon, monkeypatch, line
):
    told = "feed main is disconnected: who reads it waits (`stratd feeds` says more)\n"
    monkeypatch.setattr("cli.commands.daemon.on_terminal", lambda: True)
    assert "feed main" not in stratd(line).out
    daemon.feed_state = "disconnected"
    assert stratd(line).out.endswith(f"\n{told}")
    monkeypatch.setattr("cli.commands.daemon.on_terminal", lambda: False)
    assert "feed main" not in stratd(line).out


def test_the_last_lines_are_counted_from_the_end(served, stratd):
    assert [json.loads(line)["seq"] for line in stratd("events -n 2 --json").out.splitlines()] == [4, 5]
    assert stratd("logs eurusd -n 1").out.split()[-2:] == ["line", "4"]


def test_start_says_everything_it_was_given(served, stratd, daemon):
    daemon.max_concurrent = 9
    ended = stratd(
        "start new --strategy crossover@1.0.0 --symbol EURUSD --symbol GBPUSD --timeframe 1m --timeframe 60m "
        "--param fast=5 --param slow=20 --account a1 --mode paper --memory 64M --cpu 0.25 "
        "--risk max_drawdown=5 --no-wait"
    )
    assert (ended.code, ended.out) == (0, "new: running (crossover@1.0.0, pid 77)\n")
    _, request = daemon.calls[-1]
    assert request.model_dump(exclude_defaults=True) == {
        "id": "new", "strategy": "crossover@1.0.0", "symbols": ["EURUSD", "GBPUSD"],
        "timeframes": ["1m", "1h"],
        "parameter_text": {"fast": "5", "slow": "20"}, "account": "a1", "mode": "paper",
        "memory": 2**26, "cpu": 0.25, "risk_text": {"max_drawdown": "5"}, "wait": False,
    }  # fmt: skip


@pytest.mark.parametrize(("option", "said"), [(" --trust", True), (" --no-trust", False), ("", None)])
def test_trust_is_given_taken_back_or_left_as_it_is(served, stratd, daemon, option, said):
    assert stratd(f"start idle{option}").code == 0
    request = daemon.calls[-1][1]
    assert (request.trust, request.configures, daemon.owner) == (said, said is not None, True)


def test_who_answers_for_the_code_is_a_column_of_ps_and_a_line_of_describe(served, stratd, daemon):
    daemon.rows["gold"] = daemon.rows["gold"].model_copy(update={"trusted": True})
    daemon.rows["idle"] = daemon.rows["idle"].model_copy(update={"builtin": True})
    head, *rows = stratd("ps").out.splitlines()
    at = head.index("TRUST")
    assert [row[at:].split()[0] for row in rows] == ["-", "trusted", "built-in"]
    assert [row["trusted"] for row in stratd("ps --json").json] == [False, True, False]
    assert "trusted by the operator (--trust)" in stratd("describe gold").out


def test_a_refusal_by_the_sandbox_is_5_and_one_line(served, stratd, daemon):
    daemon.fail = Refused("sandbox", "untrusted code cannot be held here: missing: seccomp (off)")
    ended = stratd("start eurusd")
    assert (ended.code, ended.out, ended.err.count("\n")) == (5, "", 1)
    assert "refused by sandbox: untrusted code cannot be held here" in ended.err


def test_start_of_a_running_deployment_says_so_and_changes_nothing(served, stratd, daemon):
    assert stratd("start eurusd").out == "eurusd: already running (crossover@1.0.0, pid 77)\n"
    assert daemon.calls[-1][1].configures is False


def test_a_reason_and_now_reach_the_daemon(served, stratd, daemon):
    assert stratd("stop eurusd --reason lunch --now").out == "eurusd: stopped\n"
    assert daemon.calls[-1][2] == {"reason": "lunch", "now": True, "wait": True}


def test_a_verb_that_leads_to_another_state_than_usual_tells_it(served, stratd, daemon, monkeypatch):
    monkeypatch.setattr(daemon, "_act", lambda *_, **__: ActionResult(outcomes=[BACKING_OFF]))
    assert stratd("restart gold").out == "gold: restarted (backoff)\n"


def test_what_is_forgotten_has_no_state_any_more(served, stratd):
    assert stratd("remove idle").out == "idle: removed\n"


def test_what_was_so_already_is_said_to_be(served, stratd):
    assert stratd("stop idle").out == "idle: already stopped\n"


# ---- 1 --------------------------------------------------------------------------------------------
def test_what_the_daemon_could_not_do_is_1(served, stratd, daemon):
    daemon.fail = Failed("the zygote does not answer")
    ended = stratd("start eurusd")
    assert (ended.code, ended.err) == (1, "stratd: the zygote does not answer\n")


def test_a_start_that_ends_in_failed_is_1_and_says_why(served, stratd, daemon, monkeypatch):
    async def start(request: object, *, owner: bool) -> object:
        from supervisor.schema import StartResult
        from tests.supervisor.fake_daemon import make_row

        return StartResult(created=True, changed=True, deployment=make_row("x", "failed", cause="load_error"))

    monkeypatch.setattr(daemon, "start", start)
    # The routes were bound to the method, so a daemon of its own is served.
    from tests.supervisor.fake_daemon import Served

    with Served(daemon) as other:
        monkeypatch.setenv("STRATD_RUNTIME_DIR", str(other.folder))
        ended = stratd("start x --strategy crossover")
    assert ended.code == 1
    assert ended.err == (
        "stratd: x did not start (load_error: on_tick ran for 2.0 s); see 'stratd describe x'\n"
    )


def test_a_bug_of_the_daemon_is_1_and_no_traceback(served, stratd, daemon):
    daemon.fail = RuntimeError("boom")
    ended = stratd("ps")
    assert (ended.code, ended.err.count("\n"), "Traceback" in ended.err) == (1, 1, False)


# ---- 2 --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "stratd: missing command (see 'stratd --help')"),
        ("strat", "'start'"),
        ("ps --jsn", "no such option: --jsn"),
        ("describe", "missing argument 'ID'"),
        ("stop", "name deployments, or --account A, or --all (one of them)"),
        ("stop a --all", "name deployments, or --account A, or --all (one of them)"),
        ("start x --param fast", "--param 'fast': must be NAME=VALUE"),
        ("start x --param a=1 --param a=2", "--param 'a' is given twice: '1' and '2'"),
        ("start x --mode real", "'real' is not one of 'paper', 'live'"),
        ("start x --cpu much", "invalid value for '--cpu': 'much': must be a valid number"),
        ("logs x -n -1", "invalid value for '-n' / '--lines': '-1': must be greater than or equal to 0"),
        ("feed replay nothing.csv --speed fast", "'fast' is neither a positive number"),
        ("register /nonexistent", "there is no such folder or file"),
        ("register /etc/passwd", "/etc/passwd: a strategy is a folder, a .zip or a .py file"),
        ("feed", "missing command"),
    ],
)
def test_a_wrong_command_line_is_2_and_one_line(stratd, line, told):
    ended = stratd(line)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert told.lower() in ended.err.lower()


def test_what_the_daemon_finds_wrong_with_a_request_is_2_all_in_one_line(served, stratd):
    ended = stratd("start x --strategy crossover --param fsat=5")
    assert ended.code == 2
    assert (
        ended.err == "stratd: fsat: no such parameter; did you mean 'fast'?; slow: must be from 10 to 200\n"
    )


def test_a_quota_that_is_no_size_is_2(served, stratd):
    ended = stratd("start eurusd --memory lots")
    assert (ended.code, "memory = 'lots': must be a size" in ended.err) == (2, True)
    ended = stratd("start x --strategy crossover --memory 1M")
    assert (ended.code, "memory = '1M': must be a size from 8M to 1T: bytes, or" in ended.err) == (2, True)


# ---- 3 --------------------------------------------------------------------------------------------
@pytest.mark.parametrize("line", NEEDS_DAEMON)
def test_without_a_daemon_every_verb_is_3_and_starts_nothing(stratd, monkeypatch, line, tmp_path):
    monkeypatch.setenv("STRATD_RUNTIME_DIR", str(tmp_path))
    ended = stratd(line)
    assert (ended.code, ended.out, ended.err.count("\n")) == (3, "", 1)
    assert f"no daemon answers at {tmp_path}/api.sock: start it with 'stratd serve'" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_socket_that_nobody_serves_any_more_is_3_too(stratd, monkeypatch):
    import socket

    folder = tempfile.mkdtemp(prefix="stratd-")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"{folder}/api.sock")
    monkeypatch.setenv("STRATD_RUNTIME_DIR", folder)
    assert stratd("ps").code == 3
    shutil.rmtree(folder)


def test_a_daemon_that_dies_in_the_middle_is_3(stratd, monkeypatch):
    import socket
    import threading

    folder = tempfile.mkdtemp(prefix="stratd-")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/api.sock")
        listener.listen()

        def hang_up() -> None:
            listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        monkeypatch.setenv("STRATD_RUNTIME_DIR", folder)
        ended = stratd("ps")
        thread.join()
    shutil.rmtree(folder)
    assert (ended.code, ended.err) == (3, f"stratd: the daemon at {folder}/api.sock went away\n")


# ---- 4 --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "line",
    ["describe eurusdd", "logs eurusdd", "signals eurusdd", "stop eurusdd", "pause eurusdd", "resume eurusdd",
     "restart eurusdd", "remove eurusdd", "reset-failed eurusdd"],
)  # fmt: skip
def test_an_unknown_deployment_is_4_and_lists_near_ones(served, stratd, line):
    ended = stratd(line)
    assert (ended.code, ended.err) == (4, "stratd: no deployment 'eurusdd'; did you mean 'eurusd'?\n")


@pytest.mark.parametrize("line", ["start eurusdd", "start eurusdd --symbol EURUSD --no-wait"])
def test_a_start_of_an_unknown_deployment_is_4_and_says_how_it_would_be_made(served, stratd, daemon, line):
    ended = stratd(line)
    assert (ended.code, ended.err) == (
        4,
        "stratd: no deployment 'eurusdd'; did you mean 'eurusd'? (--strategy NAME creates a new one)\n",
    )
    assert "eurusdd" not in daemon.rows


def test_an_unknown_strategy_is_4_and_lists_near_ones(served, stratd):
    ended = stratd("start x --strategy crosover")
    assert (ended.code, ended.err) == (4, "stratd: no strategy 'crosover'; did you mean 'crossover'?\n")


def test_good_ids_are_done_although_another_is_unknown(served, stratd, daemon):
    ended = stratd("stop nope eurusd")
    assert (ended.code, ended.out, ended.err) == (4, "eurusd: stopped\n", NO_NOPE)
    assert daemon.rows["eurusd"].state == "stopped"


@pytest.mark.parametrize("name", ["a/b", "..", "%2e%2e", "a?x=1", "a#b", "ü"])
def test_a_strange_id_is_not_found_and_not_taken_for_another_route(served, stratd, name):
    assert stratd(f"describe {name}").code in (1, 2, 4)
    assert stratd(f"describe {name}").err.count("\n") == 1


# ---- 5 --------------------------------------------------------------------------------------------
def test_a_full_house_is_5_and_names_the_rule(served, stratd):
    ended = stratd("start fourth --strategy crossover")
    assert (ended.code, ended.err) == (5, "stratd: refused by max_concurrent: 3 deployments run already\n")


def test_removing_what_runs_is_5(served, stratd):
    ended = stratd("remove eurusd")
    assert (ended.code, ended.err) == (
        5,
        "stratd: refused by not_stopped: eurusd is running; stop it first\n",
    )


def test_any_refusal_of_the_daemon_is_5(served, stratd, daemon):
    daemon.fail = Refused("account_latch", "account a is halted")
    assert stratd("ps").code == 5


def test_an_invalid_request_is_one_line_even_with_newlines_in_it(served, stratd, daemon):
    daemon.fail = Invalid(["a\nb"])
    assert stratd("ps").err == "stratd: a b\n"


def test_a_fault_of_the_command_itself_is_1_and_one_line(served, stratd, monkeypatch):
    monkeypatch.setattr("cli.client.Client.ask", lambda *_args, **_kwargs: b"{}")
    ended = stratd("describe eurusd")
    assert (ended.code, ended.err.count("\n")) == (errors.FAILED, 1)
    assert ended.err.startswith("stratd: a fault of stratd itself: ValidationError: ")


ASK_AS_NOBODY = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
from cli.main import main
sys.argv = ["stratd", "ps"]
main()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user to try")
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_another_users_daemon_is_5_and_names_the_rule(served, mode):
    served.folder.chmod(mode)
    served.path.chmod(0o666 if mode == 0o755 else 0o600)
    environ = {**os.environ, "STRATD_RUNTIME_DIR": str(served.folder)}
    # The packages are imported before the change of user, who may not be able to read them.
    code = (
        "import cli.commands.daemon, cli.main, http.client, supervisor.schema, cli.render\n" + ASK_AS_NOBODY
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environ, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert done.stderr.startswith("stratd: refused by peer_credentials: ")


# ---- the process ----------------------------------------------------------------------------------
def stratd_process(*arguments: str, **kwargs: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.main", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kwargs,
    )  # fmt: skip


def test_a_follower_whose_reader_goes_away_ends_quietly(served, daemon):
    """``stratd logs -f | head -1``."""
    process = stratd_process("logs", "eurusd", "-f")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().endswith("line 0\n")
    process.stdout.close()

    def more() -> None:
        daemon.lines += daemon.lines[:5] * 200
        daemon.news.set()

    served.call(more)
    assert (process.wait(60), process.stderr.read()) == (0, "")
    process.stderr.close()


def test_a_reader_that_never_reads_is_no_error_either(served):
    process = stratd_process("ps")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (0, "")
    process.stderr.close()


@pytest.mark.parametrize("verb", ["ps", "--version"])
def test_an_answer_that_no_longer_fits_on_the_disk_is_one_line(served, verb):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", verb],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "stratd: what is asked for cannot be written: No space left on device\n"
    assert (errors.FAILED, said) == (done.returncode, done.stderr)


def test_the_version_is_that_of_the_distribution():
    from importlib.metadata import version

    out, err = stratd_process("--version").communicate(timeout=60)
    assert (out, err) == (f"stratd {version('stratd')}\n", "")


def test_help_names_every_verb(stratd):
    verbs = (
        "serve status ps describe start stop pause resume restart reset-failed remove logs events signals "
        "top strategies new validate register feeds feed doctor demo systemd"
    )
    help_text = stratd("--help").out
    assert [verb for verb in verbs.split() if f"  {verb} " not in help_text] == []


def test_printing_json_loads_nothing_that_it_does_not_need(served):
    code = "import sys; from cli.main import run; run(['ps', '--json']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"rich", "fastapi", "httpx2", "asyncio", "numpy", "zmq", "supervisor.config", "supervisor.schema"}
    assert heavy & set(done.stderr.split()) == set()


def test_the_page_about_the_command_line_knows_every_verb_and_code():
    page = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
    codes = {errors.DONE, errors.FAILED, errors.USAGE, errors.NO_DAEMON, errors.NOT_FOUND, errors.REFUSED}
    verbs = {command.name or command.callback.__name__ for command in app.registered_commands}
    verbs |= {str(group.name) for group in app.registered_groups}
    assert [verb for verb in sorted(verbs) if f"`{verb}" not in page] == []
    assert [code for code in sorted(codes) if f"\n| {code} | " not in page] == []


HOSTILE = "\x1b]0;owned\x07\x9b31m\u202ered"


@pytest.mark.parametrize("line", ["describe eurusd", "stop eurusd", "account pause default"])
def test_no_failure_drives_the_terminal_whoever_wrote_its_words(served, stratd, daemon, line):
    daemon.fail = Failed(f"load_error: {HOSTILE}")
    ended = stratd(line)
    assert (1, "") == (ended.code, ended.out)
    assert "red" in ended.err
    assert all(sign.isprintable() for sign in ended.err.rstrip("\n"))


def test_the_reason_of_a_latch_does_not_drive_the_terminal(served, stratd, daemon):
    barred = latch("default", "pause", reason=HOSTILE)
    daemon.books["default"] = daemon.books["default"].model_copy(update={"latch": barred})
    ended = stratd("account pause default")
    assert ended.out.startswith("default: already barred (pause, by operator: ")
    assert all(sign.isprintable() for sign in ended.out.rstrip("\n"))
