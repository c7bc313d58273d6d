"""What the host can enforce: probes of the real kernel, and what is made of their answers."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.confine import probe
from sandbox.confine.probe import Finding
from sandbox.confine.survey import Layer, Survey
from sandbox.confine.survey import refusal as verdict_of
from supervisor.config import Settings, load
from supervisor.doctor import examine, local_configuration
from supervisor.redis_ping import ping
from supervisor.survey import examine_host

pytestmark = pytest.mark.system


def settings(tmp_path: Path, **environ: str) -> Settings:
    places = {"STRATD_STATE_DIR": str(tmp_path / "state"), "STRATD_RUNTIME_DIR": str(tmp_path / "run")}
    return load({**places, **environ}, uid=0)


def by_name(views: list[object]) -> dict[str, object]:
    return {view.name: view for view in views}


def surveyed(*off: str, setting: str = "userns"):
    """A survey of a host that lacks the layers ``off``."""
    names = ("credentials", "namespaces", "mounts", "landlock", "seccomp", "cgroup")
    layers = [Layer(name, name not in off, f"about {name}", f"bring {name}") for name in names]
    return lambda wanted: Survey(setting, layers, verdict_of(setting, layers))


def test_nothing_is_missing_where_a_strangers_code_is_held(tmp_path):
    report = examine(settings(tmp_path), surveyed("landlock", "cgroup"))
    assert (report.missing, report.verdict.refusal) == ([], "")
    assert report.verdict.without == ["landlock", "cgroup"]
    views = by_name(report.sandbox)
    assert (views["seccomp"].state, views["seccomp"].command) == ("active", "")
    assert (views["landlock"].state, views["landlock"].command) == ("missing", "bring landlock")


HIDDEN = Finding(False, "/proc is mounted with hidepid=2")


def test_where_proc_hides_strategies_and_no_group_holds_them_the_doctor_fails_with_the_command(tmp_path):
    report = examine(settings(tmp_path), surveyed("cgroup"), lambda: HIDDEN)
    assert report.missing == ["sampler"]
    view = by_name(report.host)["sampler"]
    assert view.detail.endswith("nothing holds them to their share of the processor")
    assert view.command == f"mount -o remount,gid={os.getegid()} /proc"
    views = by_name(report.sandbox)
    assert (views["memory quota"].state, views["cpu quota"].state) == ("available", "missing")
    assert views["cpu quota"].detail == "nothing: no strategy is seen, nor can be stopped"


def test_where_proc_hides_strategies_and_a_group_holds_them_only_their_use_is_unknown(tmp_path):
    report = examine(settings(tmp_path), surveyed(), lambda: HIDDEN)
    assert (report.missing, by_name(report.host)["sampler"].state) == ([], "available")
    views = by_name(report.sandbox)
    assert (views["memory quota"].state, views["cpu quota"].state) == ("active", "active")
    assert "sampler" not in views["cpu quota"].detail, "which sees nobody, and so holds nobody"


def test_what_a_stranger_needs_is_demanded_unless_the_configuration_says_what(tmp_path):
    host = surveyed("seccomp", "cgroup")
    assert examine(settings(tmp_path), host).missing == ["seccomp"]
    assert examine(settings(tmp_path, STRATD_SANDBOX__REQUIRE="landlock:cgroup"), host).missing == ["cgroup"]


def test_a_demanded_layer_that_is_missing_keeps_strangers_out_too(tmp_path):
    report = examine(settings(tmp_path, STRATD_SANDBOX__REQUIRE="cgroup"), surveyed("cgroup"))
    assert report.verdict.refusal == (
        "the configuration demands what is missing: cgroup (about cgroup). To bring it: cgroup: bring cgroup"
    )


def test_demanding_less_does_not_let_a_stranger_in(tmp_path):
    environ = {"STRATD_SANDBOX__REQUIRE": "landlock"}
    assert "seccomp" in examine(settings(tmp_path, **environ), surveyed("seccomp")).verdict.refusal


def test_the_setting_of_the_configuration_is_what_is_tried(tmp_path):
    tried = []

    def survey(wanted: str) -> Survey:
        tried.append(wanted)
        return surveyed()(wanted)

    examine(settings(tmp_path, STRATD_SANDBOX__SETTING="bare"), survey)
    assert tried == ["bare"]


def test_landlocks_answer_is_that_of_the_kernel():
    listed = Path("/sys/kernel/security/lsm")
    if not listed.exists():
        pytest.skip("securityfs is not mounted, so there is nothing to compare with")
    assert probe.landlock().found == ("landlock" in listed.read_text().split(","))


def test_asking_for_seccomp_installs_nothing():
    assert probe.seccomp().found
    assert "Seccomp:\t0" in Path("/proc/self/status").read_text()


def test_a_folder_that_is_to_be_made_is_fine_if_it_can_be(tmp_path):
    host = by_name(examine(settings(tmp_path)).host)
    assert host["state directory"].state == "active"
    assert not (tmp_path / "state").exists()


def test_a_state_directory_that_is_a_file_is_missing(tmp_path):
    (tmp_path / "state").write_text("")
    report = examine(settings(tmp_path))
    assert report.missing == ["state directory"]


def test_more_quota_than_memory_is_told_with_what_would_fit(tmp_path):
    view = by_name(examine(settings(tmp_path, STRATD_QUOTA__MEMORY="1T")).host)["memory"]
    assert (view.state, view.command) == ("available", "limits.max_concurrent = 1")


def test_more_deployments_than_descriptors_are_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "most_open_files", lambda: 100)
    assert "open files" in examine(settings(tmp_path)).missing


def test_an_unknown_calendar_of_a_feed_is_missing_and_a_known_one_is_not(tmp_path):
    environ = {"STRATD_FEEDS__FX__ENDPOINT": "tcp://h:1", "STRATD_FEEDS__FX__CALENDAR": "FX"}
    assert examine(settings(tmp_path, **environ)).missing == []
    environ["STRATD_FEEDS__FX__CALENDAR"] = "FXX@"
    assert examine(settings(tmp_path, **environ)).missing == ["calendar"]


# ---- redis ----------------------------------------------------------------------------------------
class Answers:
    """A listener that answers each line it knows the beginning of; keeps what it was sent."""

    def __init__(self, path: Path, password: bytes | None) -> None:
        self.path, self._password = path, password
        self.heard = b""
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            known = self._password is None
            while data := connection.recv(4096):
                self.heard += data
                if b"AUTH" in data:
                    known = self._password is not None and self._password in data
                    connection.sendall(b"+OK\r\n" if known else b"-WRONGPASS invalid password\r\n")
                else:
                    connection.sendall(b"+PONG\r\n" if known else b"-NOAUTH Authentication required.\r\n")

    def close(self) -> None:
        self._listener.close()
        self._thread.join(60)


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Answers]:
    server = Answers(tmp_path / "r.sock", b"s3cret")
    yield server
    server.close()


def test_a_redis_that_answers_is_told_with_its_place(locked):
    assert ping(f"unix://{locked.path}", "s3cret").startswith(f"{locked.path} answers in ")


def test_a_wrong_password_is_told_and_not_shown(locked):
    with pytest.raises(ValueError, match="answered 'WRONGPASS invalid password' to AUTH") as caught:
        ping(f"unix://:hunter2@{locked.path}", None)
    assert "hunter2" not in str(caught.value)


def test_a_missing_password_is_told(locked):
    with pytest.raises(ValueError, match="NOAUTH"):
        ping(f"unix://{locked.path}", None)


def test_a_redis_that_is_not_there_is_told_with_its_place(tmp_path):
    with pytest.raises(OSError, match=r"none\.sock: No such file or directory"):
        ping(f"unix://{tmp_path}/none.sock")


class GroupsOf:
    """Control groups that have only some controllers."""

    def __init__(self, *controllers: str) -> None:
        self.controllers = controllers

    def holds(self, controller: str) -> bool:
        return controller in self.controllers

    def close(self) -> None:
        """Nothing to remove."""


@pytest.mark.parametrize(
    ("controllers", "active"), [(("cpu", "pids"), False), (("memory", "pids"), True), ((), False)]
)
def test_control_groups_that_do_not_hold_memory_are_no_layer(monkeypatch, controllers, active):
    found = (GroupsOf(*controllers) if controllers else None, f"version 2 ({', '.join(controllers)})")
    monkeypatch.setattr("supervisor.survey.discover", lambda _key: found)
    assert active == examine_host().has("cgroup")


def test_configuration_that_every_cell_can_read_is_told_of(tmp_path):
    assert local_configuration(tmp_path / "nowhere") == local_configuration(tmp_path) == []
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "keys.toml").touch(mode=0o604)
    (tmp_path / "app" / "secret.toml").touch(mode=0o600)
    (view,) = local_configuration(tmp_path)
    count = 1 if os.geteuid() == 0 else 2  # where a cell has the daemon's own uid, modes do not keep it out
    told = f"{count} in {tmp_path}, {tmp_path}/app/keys.toml say: see that no key is among them"
    assert (view.state, view.detail) == ("available", told)


def test_it_is_looked_at_where_configuration_lies_in_usr(tmp_path, monkeypatch):
    (tmp_path / "keys.toml").touch(mode=0o604)
    monkeypatch.setattr("supervisor.doctor.LOCAL_CONFIGURATION", tmp_path)
    report = examine(settings(tmp_path), surveyed())
    assert "keys.toml" in by_name(report.host)["readable in cells"].detail
    assert report.missing == []
