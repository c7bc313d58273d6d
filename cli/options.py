"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="The configuration file.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="The deployment.", show_default=False)]
Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="Deployments.", show_default=False)]
SomeIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Deployments.", show_default=False)]
Account = Annotated[str | None, typer.Option(metavar="A", help="All deployments of this account.")]
All = Annotated[bool, typer.Option("--all", help="All deployments.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the transition.")]
Now = Annotated[bool, typer.Option("--now", help="Do not wait for the strategy's own goodbye.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on as more comes; Ctrl-C ends it.")]
Last = Annotated[
    int, typer.Option("-n", "--lines", min=0, max=100_000, help="How many, counted from the end.")
]
After = Annotated[
    int | None, typer.Option("--after", metavar="N", min=0, help="Those numbered above N instead.")
]
Wait = Annotated[
    float,
    typer.Option("--wait", metavar="S", min=0, max=86_400, help="With -f: how long a daemon may be away."),
]
