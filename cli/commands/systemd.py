"""``systemd install|upgrade|uninstall|show``: stratd as a service of this host."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.errors import FAILED, REFUSED, CommandError

if TYPE_CHECKING:
    from cli.service.plan import Found
    from cli.service.shell import Shell

Wheels = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", exists=True, file_okay=False, help="A folder of wheels: nothing is downloaded."
    ),
]
Python = Annotated[
    str | None, typer.Option(metavar="PROGRAM", help="The interpreter to make the environment with.")
]
Dry = Annotated[bool, typer.Option("--dry-run", help="Print each step, take none.")]
Packaged = Annotated[
    bool, typer.Option("--packaged", hidden=True, help="Of a Debian package: units and command are dpkg's.")
]
Root = Annotated[
    Path,
    typer.Option(
        metavar="DIR", file_okay=False, hidden=True, help="Another root than /: nothing is started."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verbs to ``app``."""
    systemd = typer.Typer(rich_markup_mode=None, help="stratd as a service of systemd.", no_args_is_help=True)
    systemd.command()(install)
    systemd.command()(upgrade)
    systemd.command()(uninstall)
    systemd.command()(show)
    app.add_typer(systemd, name="systemd")


def install(
    wheels: Wheels = None,
    python: Python = None,
    start: Annotated[
        bool, typer.Option("--start/--no-start", help="Start it, now and at every boot.")
    ] = True,
    packaged: Packaged = False,
    dry_run: Dry = False,
    root: Root = Path("/"),
) -> None:
    """Make a service of it: user, folders, an environment under /opt/stratd, units.

    What is done already is left as it is.
    """
    from cli.service import plan
    from cli.service.shell import source
    from cli.version import version

    shell, wanted = _shell(root, dry_run=dry_run), source(python, wheels, version())
    shell.take(plan.prepare(shell.look(), wanted))
    files = {} if packaged else _units_of(shell, wanted.release)
    shell.take(plan.install(shell.look(), wanted, files, start=start, packaged=packaged))
    if not dry_run:
        print(f"installed: {plan.OPT}, {plan.CONFIG}" + (", started" if start and shell.here else ""))


def upgrade(
    wheels: Wheels = None,
    python: Python = None,
    to: Annotated[str | None, typer.Option(metavar="VERSION", help="This one, of pip's index.")] = None,
    release: Annotated[
        str | None, typer.Option(metavar="NAME", help="One that is in /opt/stratd/releases already.")
    ] = None,
    packaged: Packaged = False,
    dry_run: Dry = False,
    root: Root = Path("/"),
) -> None:
    """Change to another version, and back if it is not ready in time.

    The new environment is made while the old version runs. Then every daemon of this host is stopped in order
    (each strategy says goodbye and is saved) and started from the new one; what ran goes on from there.
    """
    from cli.service import plan
    from cli.service.shell import source
    from cli.version import version

    shell = _shell(root, dry_run=dry_run)
    before = shell.look()
    if not before.current:
        raise CommandError(FAILED, f"{plan.CURRENT} is not there: stratd systemd install comes first")
    if release is None:
        wanted = source(python, wheels, version(), to)
        shell.take(plan.build(before, wanted))
        release = wanted.release
    elif release not in before.releases:
        known = ", ".join(before.releases) or "none"
        raise CommandError(FAILED, f"no complete release {release!r} in {plan.RELEASES}; there are: {known}")
    if release == before.current:
        print(f"{release} is the one that is started already")
        return
    daemons, began = shell.daemons() if shell.here else [], time.time_ns()
    shell.take(plan.switch(before, release, {} if packaged else _units_of(shell, release)))
    if why := shell.try_start(daemons):
        _go_back(shell, before, release, daemons, why, began)
    shell.take(plan.outdated(before, release))
    if not dry_run:
        print(f"{before.current} -> {release}")


def _go_back(shell: Shell, before: Found, release: str, daemons: list[str], why: str, began: int) -> None:
    from cli.service import plan

    shell.take(plan.Run(("systemctl", "stop", service)) for service in daemons)
    for service in daemons:
        code, line = shell.give_back(release, service, began)
        if code == REFUSED:  # the new version has traded: with the old books it would be done twice
            shell.try_start(daemons)
            raise CommandError(FAILED, why, f"{release} stays, and is tried again: {line}")
        # Any other failure: a release that knows no such verb has migrated nothing; else the start tells.
    shell.take(plan.back(before, shell.look()))
    if again := shell.try_start(daemons):
        raise CommandError(FAILED, why, f"{before.current} was put back, and does not start either: {again}")
    raise CommandError(FAILED, f"{why}; {before.current} was put back and runs")


def uninstall(
    purge: Annotated[bool, typer.Option("--purge", help="Settings, state and the user too.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --purge: you know what is lost.")] = False,
    dry_run: Dry = False,
    root: Root = Path("/"),
) -> None:
    """Stop it and take it away. Settings and state are kept, unless --purge says otherwise."""
    from cli.service import plan

    if purge and not yes and not dry_run:
        what = f"--purge removes {plan.STATE} with every position and signal in it"
        raise CommandError(REFUSED, f"{what}, and {plan.CONFIG.parent}: add --yes if that is meant")
    shell = _shell(root, dry_run=dry_run)
    shell.take(plan.uninstall(shell.look(), shell.services(), purge=purge))


def show(
    name: Annotated[str, typer.Argument(metavar="[UNIT]", help="Which one.")] = "stratd.service",
) -> None:
    """Print a unit file: stratd.service, stratd@.service, stratd.socket, ..."""
    files = unit_files()
    if name not in files:
        raise CommandError(FAILED, f"no unit {name!r}; there are: {', '.join(sorted(files))}")
    print(files[name], end="")


def unit_files() -> dict[str, str]:
    """Return the units of this version by name: in a wheel they lie in a package, in a checkout beside it."""
    import supervisor
    from cli.service.shell import units_in

    packages = Path(supervisor.__file__).parent
    for folder in (packages / "units", packages.parent / "systemd"):
        if found := units_in(folder):
            return found
    raise CommandError(FAILED, f"stratd.service is not where it was installed ({packages / 'units'})")


def _units_of(shell: Shell, release: str) -> dict[str, str]:
    """Return the units of a release: a version starts with its own; one that is not made yet, with ours."""
    return shell.units_of(release) or unit_files()


def _shell(root: Path, *, dry_run: bool) -> Shell:
    from cli.service.shell import Shell

    root = root.resolve()
    if root == Path("/") and not dry_run and os.geteuid() != 0:
        raise CommandError(REFUSED, "needs root: sudo stratd systemd ...; --dry-run shows what it would do")
    return Shell(root, lambda line: print(line, file=sys.stderr, flush=True), dry=dry_run)
