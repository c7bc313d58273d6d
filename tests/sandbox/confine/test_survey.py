"""The verdict of the survey, and the attempt that finds its facts."""

from __future__ import annotations

import msgspec
import pytest

from sandbox.confine import attempt, probe
from sandbox.confine.survey import Layer, Setting, Survey, refusal
from tests.sandbox.confine.alone import alone, as_ordinary_user, needs

FIND_OUT = """
import msgspec
from sandbox.confine.attempt import find_out
print(msgspec.json.encode(find_out(sys.argv[1])).decode())
"""
NAMES = ("namespaces", "mounts", "landlock", "seccomp", "credentials")


def survey(setting: Setting, *missing: str) -> str:
    return refusal(setting, [Layer(name, name not in missing, f"no {name}") for name in NAMES])


@pytest.mark.parametrize(
    ("setting", "missing", "refused"),
    [
        ("root", (), ()),
        ("userns", (), ()),
        ("bare", ("namespaces", "mounts"), ()),
        ("root", ("landlock",), ()),
        ("userns", ("landlock",), ()),
        ("root", ("seccomp",), ("seccomp",)),
        ("userns", ("seccomp",), ("seccomp",)),
        ("bare", ("namespaces", "mounts", "landlock"), ("landlock",)),
        ("bare", ("namespaces", "mounts", "seccomp"), ("seccomp",)),
        ("bare", ("namespaces", "mounts", "landlock", "seccomp"), ("landlock", "seccomp")),
    ],
)
def test_what_degrades_how(setting: Setting, missing: tuple[str, ...], refused: tuple[str, ...]):
    said = survey(setting, *missing)
    assert [name for name in NAMES if f"{name} (no {name})" in said] == list(refused)
    assert bool(said) == bool(refused)


def found(wanted: str, before: list[str]) -> Survey:
    return msgspec.json.decode(alone(FIND_OUT, wanted, before=before)[0], type=Survey)


@pytest.mark.system
def test_an_ordinary_user_gets_user_namespaces():
    before = as_ordinary_user()
    needs(
        "from sandbox.confine import namespaces\nnamespaces.enter_user_namespace()",
        "namespaces",
        before=before,
    )
    survey = found("auto", before)
    assert survey.setting == "userns"
    assert survey.refusal == ""
    assert survey.has("namespaces")
    assert survey.has("mounts")


@pytest.mark.system
def test_where_the_kernel_refuses_namespaces_it_is_told_with_the_command_that_brings_them():
    script = """
import ctypes
open("/proc/sys/user/max_user_namespaces", "w").write("0")
open("/proc/sys/user/max_mnt_namespaces", "w").write("0")
"""
    before = ["unshare", "--user", "--map-root-user"]
    needs(script, "limits on namespaces", before=before)
    survey = msgspec.json.decode(alone(script + FIND_OUT, "auto", before=before)[0], type=Survey)
    assert survey.setting == "bare"
    assert not survey.has("namespaces")
    assert "No space left on device" in survey.layer("namespaces").detail
    assert "CAP_SYS_ADMIN" in survey.layer("namespaces").command  # it is root here, of nothing
    assert survey.refusal == ""  # Landlock and seccomp hold it


@pytest.mark.system
def test_a_setting_can_be_wished_for():
    assert found("bare", []).setting == "bare"


def test_an_attempt_that_fails_altogether_holds_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(attempt, "_COMMAND", ("false",))
    monkeypatch.setattr(attempt, "_found", {})
    survey = attempt.survey("auto")
    assert survey.setting == "bare"
    assert "landlock (could not be found out (CalledProcessError))" in survey.refusal


def test_a_machine_for_which_there_is_no_filter_has_no_seccomp(monkeypatch: pytest.MonkeyPatch):
    """Else the survey would promise what every zygote then dies of."""
    monkeypatch.setattr(probe.syscalls, "MACHINES", {})
    found = probe.seccomp()
    assert not found.found
    assert "no system call filter for machine" in found.detail
