"""Write stratd(1) in roff, and completions for bash, zsh and fish, from the command line itself.

``python tools/manual.py FOLDER`` makes stratd.1, stratd (bash), _stratd (zsh) and stratd.fish in it. What a
verb takes is said once, where typer reads it.
"""

import os
import subprocess
import sys
from pathlib import Path

from typer.main import get_command

from cli import errors
from cli.main import app

COMPLETIONS = {"bash": "stratd", "zsh": "_stratd", "fish": "stratd.fish"}
CODES = {
    errors.DONE: "Done, or already so.",
    errors.FAILED: "Understood and failed; the line says why.",
    errors.USAGE: "A wrong command line, request or setting.",
    errors.NO_DAEMON: "No daemon answers.",
    errors.NOT_FOUND: "No such deployment, strategy or account.",
    errors.REFUSED: "Refused: a quota, a policy, a latch, a permission; the line names the rule.",
    errors.INTERRUPTED: "Interrupted (Ctrl-C).",
}
FILES = {
    "/etc/stratd/stratd.toml": "Settings.",
    "/etc/credstore/stratd.*": "Secrets, a file each (systemd.exec(5), LoadCredential=).",
    "/var/lib/stratd": "State: the journal, deployments, checkpoints, logs.",
    "/run/stratd/api.sock": "The daemon's socket.",
    "/opt/stratd": "Versions, and a link to the one that is started.",
}


def main(folder):
    """Write all four."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "stratd.1").write_text(manual(get_command(app)), "utf-8")
    for shell, name in COMPLETIONS.items():
        (folder / name).write_text(completion(shell), "utf-8")


def manual(command):
    """Return the manual page of a command, as man(7) has it."""
    lines = [
        '.TH STRATD 1 "" "stratd" "User Commands"',
        ".SH NAME",
        r"stratd \- runs trading strategies, each in a sandboxed process of its own",
        ".SH SYNOPSIS",
        r".B stratd",
        r"\fIVERB\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...",
        ".SH VERBS",
    ]
    for verb in sorted(leaves(command, ())):
        lines += section(*verb)
    lines.append(".SH EXIT STATUS")
    for code, meaning in CODES.items():
        lines += [".TP", rf".B {code}", escaped(meaning)]
    lines.append(".SH FILES")
    for path, meaning in FILES.items():
        lines += [".TP", rf".I {escaped(path)}", escaped(meaning)]
    lines += [".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1),", ".BR systemd.exec (5)"]
    return "\n".join(lines) + "\n"


def leaves(command, words):
    """Return every verb as (its words, its command); groups are their verbs."""
    verbs = getattr(command, "commands", None)
    if verbs is None:
        return [(words, command)]
    found = ((name, verb) for name, verb in verbs.items() if not verb.hidden)
    return [leaf for name, verb in found for leaf in leaves(verb, (*words, name))]


def section(words, verb):
    """Return the lines of one verb."""
    shown = [parameter for parameter in verb.params if not getattr(parameter, "hidden", False)]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    names = " ".join(rf"\fI{escaped(one.metavar or one.name.upper())}\fR" for one in arguments)
    lines = [".SS", rf"\fB{escaped(' '.join(words))}\fR {names}".rstrip()]
    lines[0:2] = [f".SS {lines[1]}"]
    lines += [escaped(" ".join(line.split())) for line in (verb.help or "").split("\n\n") if line.strip()]
    for option in (one for one in shown if one.param_type_name == "option"):
        flags = ", ".join(rf"\fB{escaped(flag)}\fR" for flag in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else rf" \fI{escaped(option.metavar or option.name.upper())}\fR"
        lines += [".TP", f"{flags}{value}", escaped(" ".join((option.help or "").split())) or r"\&"]
    return lines


def escaped(text):
    """Return text in which nothing is a request of roff (groff(7))."""
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


def completion(shell):
    """Return the script by which a shell completes the command, as typer prints it."""
    environ = {**os.environ, "_STRATD_COMPLETE": f"source_{shell}", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-P", "-m", "cli.main"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main(Path(sys.argv[1]))
