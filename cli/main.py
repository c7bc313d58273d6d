"""The ``stratd`` command: every verb of docs/cli.md, and the wall that turns errors into exit codes.

Commands import what they need when they run (PLC0415 is off for this package in pyproject.toml): most of the
life of a short command is imports, and ``stratd ps --json`` needs neither tables nor the daemon's packages.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.models import CommandInfo

from cli.commands import (
    approvals,
    catalogue,
    config,
    daemon,
    deployments,
    feeds,
    host,
    keys,
    latches,
    money,
    notifications,
    questions,
    schedules,
    state,
    storage,
    streams,
    systemd,
    top,
    webhooks,
)
from cli.errors import DONE, FAILED, INTERRUPTED, USAGE, CommandError
from cli.place import URL
from cli.tables import clean


def _give_up_stdout() -> None:
    """What is left in the buffer must not fail again when the interpreter flushes it (docs of signal)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Verbs(TyperGroup):
    """Verbs in the order of docs/cli.md; where a reader went away (``| head``) the command is done."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002
        return list(self.commands)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _give_up_stdout()
            return DONE
        return result


def _print_version(wanted: bool) -> None:
    if wanted:
        from cli.version import version

        print(f"stratd {version()}")
        raise typer.Exit


def _root(
    version: Annotated[  # noqa: ARG001  (its callback prints it)
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The daemon, if not the one of this host: https://HOST:PORT, and STRATD_API_KEY.",
        ),
    ] = None,
) -> None:
    URL.set(url)


def _new() -> typer.Typer:
    """Make the command without a verb."""
    made = typer.Typer(
        cls=_Verbs,
        help="Runs trading strategies, each in a sandboxed process of its own.",
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    return made


app = _new()
for verbs in (
    daemon,
    top,
    deployments,
    latches,
    questions,
    schedules,
    state,
    storage,
    money,
    streams,
    approvals,
    catalogue,
    feeds,
    keys,
    webhooks,
    notifications,
    config,
    host,
    systemd,
):
    verbs.register(app)


def _app_for(arguments: list[str]) -> typer.Typer:
    """Return the command with the one verb that is typed, else with all of them.

    typer evaluates the annotations of every command that it is given: a fifth of what ``stratd stop`` takes.
    """
    wanted = [one for one in app.registered_commands if arguments and _name(one) == arguments[0]]
    if not wanted:
        return app
    alone = _new()
    alone.registered_commands = wanted
    return alone


def _name(command: CommandInfo) -> str:
    return command.name or (command.callback.__name__ if command.callback else "")


def main() -> None:
    """Entry point of the console script; exits with a code of docs/cli.md."""
    code = run(sys.argv[1:])
    # Else the interpreter looks for garbage in all that was ever imported, only to end: a fifth of the
    # processor time of a short command.
    gc.freeze()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code; failures are lines on stderr, never a traceback."""
    try:
        code = _app_for(arguments)(arguments, prog_name="stratd", standalone_mode=False)
        sys.stdout.flush()  # also of what ends before it is invoked: --version, --help
    except BrokenPipeError:
        _give_up_stdout()
        return DONE
    except CommandError as error:
        _complain(*error.lines)
        return error.code
    except TyperException as error:
        _complain(_usage(error))
        return USAGE
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else FAILED
    except Exception as error:  # the last wall: whoever typed a command gets a line
        if sys.flags.dev_mode:
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            _give_up_stdout()
            _complain(f"what is asked for cannot be written: {error.strerror}")
            return FAILED
        first = (str(error).splitlines() or [""])[0]
        _complain(f"a fault of stratd itself: {type(error).__name__}: {first} (python -X dev shows where)")
        return FAILED
    return code if isinstance(code, int) else DONE


def _usage(error: TyperException) -> str:
    say = getattr(error, "format_message", None)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "stratd"
    message = " ".join(_with_value(say() if say else str(error), error).split())
    return f"{path}: {message[:1].lower()}{message[1:].rstrip('.')} (see '{path} --help')"


def _with_value(message: str, error: TyperException) -> str:
    """Name what was typed and what is allowed, where typer asked pydantic and kept neither."""
    found = getattr(error.__cause__, "errors", None)
    if found is None:
        return message
    first = found()[0]
    text = first["msg"]
    if first["type"] == "value_error":  # of a choice, which names the value itself
        return message.replace("Value error, ", "")
    wanted = text.partition(", unable to parse")[0].replace("Input should", "must")
    return message.replace(text, f"{first['input']!r}: {wanted}")


def _complain(*lines: str) -> None:
    with contextlib.suppress(OSError):
        for line in lines:
            # It may hold a reason, a name or an error that a stranger wrote.
            said = clean(line if line.startswith("stratd") else f"stratd: {' '.join(line.split())}")
            print(said, file=sys.stderr)


if __name__ == "__main__":
    main()
