"""docs/operations.md: every command has somebody who runs it, every cause and exit code says what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from cli import errors
from sandbox import fork, settling, spec
from sandbox.confine import launch

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
BLOCK = re.compile(r"(?:^<!-- (?P<mark>.*?) -->\n)?^```sh\n(?P<script>.*?)^```$", re.MULTILINE | re.DOTALL)


def rows(title: str) -> dict[str, list[str]]:
    """Return the rows of the tables under a heading: what the first cell names -> the other cells."""
    text = re.split(r"^## ", PAGE.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    return {name: rest for first, *rest in cells for name in re.findall(r"[a-z_]+|\d+", first)}


@pytest.mark.parametrize("cause", get_args(spec.Cause))
def test_every_cause_of_death_says_what_to_do(cause):
    what, do = rows("Causes of death")[cause]
    assert "" not in {what, do}


def test_no_cause_is_made_up():
    named = re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE)
    assert sorted(get_args(spec.Cause)) == sorted(named)


def test_every_alert_says_what_to_do_and_none_is_made_up():
    alerts = (ROOT / "docs" / "grafana" / "alerts.yml").read_text("utf-8")
    told = re.findall(r"^\| `(Stratd\w+)` \| \S", PAGE, re.MULTILINE)
    assert re.findall(r"- alert: (\w+)", alerts) == told


@pytest.mark.parametrize(
    "code",
    [
        *(value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)),
        *(
            spec.EXIT_LOAD_ERROR,
            spec.EXIT_CONFIG_ERROR,
            fork.EXIT_BUG,
            settling.EXIT_UNCONFINED,
            launch.EXIT_NOT_STARTED,
        ),
    ],
)
def test_every_exit_code_is_explained(code):
    assert rows("Exit codes")[str(code)][0] != ""


@pytest.mark.parametrize("block", [*BLOCK.finditer(PAGE)], ids=lambda block: block["script"].splitlines()[0])
def test_every_command_is_run_by_somebody_or_says_why_not(block):
    mark = block["mark"] or ""
    if found := re.match(r"run by: (\S+?)(?:,|$)", mark):
        assert (ROOT / found[1]).is_file()
    else:
        assert mark == "run in tests/host" or re.match(r"not run by a test: \w+", mark), block["script"]


def test_the_unit_reads_every_secret_that_the_page_names():
    unit = (ROOT / "systemd" / "stratd.service").read_text("utf-8")
    read = re.findall(r"^LoadCredential=(\w+):(stratd\.\w+)$", unit, re.MULTILINE)
    assert read
    assert [] == [name for name, file in read if f"`{file}`" not in PAGE or f"`{name}`" not in PAGE]
