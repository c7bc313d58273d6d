"""The unit files: systemd takes them without a word, they harden what can be, the template is no other."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.host.directives import SHOWN_ELSEWHERE, WANTED
from tests.host.probe import PROBES

UNITS = Path(__file__).resolve().parents[1] / "systemd"
FILES = sorted(path.name for path in UNITS.iterdir() if path.suffix in {".service", ".socket"})
EXPOSURE = 25
"""The most that a service may score in systemd's own measure, in tenths: 2.5 of 10."""
INSTANCE = {
    "/var/lib/stratd": "/var/lib/stratd-%i",
    "/run/stratd": "/run/stratd-%i",
    "StateDirectory=stratd": "StateDirectory=stratd-%i",
    "RuntimeDirectory=stratd": "RuntimeDirectory=stratd-%i",
    "LogsDirectory=stratd": "LogsDirectory=stratd-%i",
    "/etc/stratd/stratd.toml": "/etc/stratd/%i.toml",
    "/etc/stratd/environment": "/etc/stratd/%i.environment",
    ":stratd.": ":stratd-%i.",
    "/etc/credstore/stratd.": "/etc/credstore/stratd-NAME.",
    "Description=stratd, a daemon that runs trading strategies": "Description=stratd of %I",
}
"""What the template has otherwise than stratd.service, besides its head."""

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def analyze() -> str:
    """Return systemd-analyze. Where there is none nothing can be said, but in CI there has to be one."""
    found = shutil.which("systemd-analyze")
    if found is None:
        assert not os.environ.get("CI"), "systemd-analyze is missing: apt install systemd"
        pytest.skip("systemd-analyze is missing: apt install systemd")
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay the units where the program that they start is there, whatever this host has."""
    folder = tmp_path_factory.mktemp("units")
    for name in FILES:
        text = (UNITS / name).read_text("utf-8")
        assert "ExecStart=/opt/stratd/current/bin/stratd" in text or name.endswith(".socket")
        (folder / name).write_text(text.replace("/opt/stratd/current/bin/stratd", "/bin/true"))
    return folder


def instance(name: str) -> str:
    """Return what systemd is asked for: a template cannot be looked at without a name."""
    return name.replace("@.", "@x.")


@pytest.mark.parametrize("name", FILES)
def test_systemd_takes_every_unit_without_a_word(analyze, folder, name):
    # It exits with 0 for unknown keys too, and says so: any word is a failure.
    command = [analyze, "verify", "--man=no", "--recursive-errors=no", str(folder / instance(name))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_a_wrong_key_is_told(analyze, tmp_path):
    (tmp_path / "x.service").write_text("[Service]\nExecStart=/bin/true\nProtectSytem=strict\n")
    command = [analyze, "verify", "--man=no", str(tmp_path / "x.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "ProtectSytem" in done.stderr


def examine(analyze: str, unit: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Have systemd measure how much of the host a service could reach."""
    command = [analyze, "security", "--offline=true", "--no-pager", *options, str(unit)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".service")])
def test_a_service_is_exposed_no_more_than_it_has_to_be(analyze, folder, name):
    done = examine(analyze, folder / instance(name), f"--threshold={EXPOSURE}")
    assert 0 == done.returncode, done.stdout + done.stderr


def test_each_directive_that_is_off_has_its_reason_beside_it(analyze, folder):
    rows = json.loads(examine(analyze, folder / "stratd.service", "--json=short").stdout)
    off = {row["name"] for row in rows if row["exposure"] not in {None, "0", "0.0"}}
    reasons = (UNITS / "stratd.service").read_text("utf-8").partition("# ---- what had to stay off")[2]
    assert {"ProtectControlGroups=", "PrivateUsers="} <= off
    assert [] == [name for name in sorted(off) if name.partition("=")[0] not in reasons]


def test_the_template_is_the_same_service_under_other_names():
    plain, template = (
        (UNITS / name).read_text("utf-8").partition("[Unit]")[2]
        for name in ("stratd.service", "stratd@.service")
    )
    for name, other in INSTANCE.items():
        end = "" if name.endswith(".") else r"(?![\w-])"
        plain, count = re.subn(re.escape(name) + end, other, plain)
        assert count > 0, name
    assert plain.splitlines() == template.splitlines()


def test_the_program_of_the_unit_is_where_it_gets_installed():
    for name in FILES:
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str  # type: ignore[assignment, method-assign]  # keys are case-sensitive
        unit.read(UNITS / name)
        if "Service" in unit:
            assert unit["Service"]["ExecStart"].startswith("/opt/stratd/current/bin/stratd ")


def test_every_directive_that_hardens_is_shown_to_hold_on_a_real_host():
    text = (UNITS / "stratd.service").read_text()
    section = text.partition("# ---- hardening")[2].partition("# ---- what had to stay off")[0]
    directives = {line.partition("=")[0] for line in section.splitlines() if line[:1].isalpha()}
    probed = {name.split()[0] for name in WANTED}
    assert set() == directives - probed - set(SHOWN_ELSEWHERE)
    assert set() == set(SHOWN_ELSEWHERE) - directives
    assert set(WANTED) == set(PROBES)
