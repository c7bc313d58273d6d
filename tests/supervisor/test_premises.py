"""Before anything starts: folders, lock, identity, and whose packages these are."""

from __future__ import annotations

import os
import stat

import pytest

from supervisor import premises
from supervisor.errors import Failed
from supervisor.premises import Premises, check_packages


def test_folders_are_made_private_even_if_they_were_not(tmp_path):
    (tmp_path / "run").mkdir(mode=0o755)
    place = Premises(tmp_path / "run", tmp_path / "deep" / "state")
    place.enter()
    for folder in (place.runtime, place.state, place.logs):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    place.leave()


def test_only_one_holds_the_folders_and_the_next_one_may(tmp_path):
    first, second = (Premises(tmp_path / "run", tmp_path / "state") for _ in range(2))
    first.enter()
    with pytest.raises(Failed, match=rf"another stratd daemon \(pid {os.getpid()}\) runs on {tmp_path}/run"):
        second.enter()
    first.leave()
    second.enter()
    second.leave()


def test_a_state_directory_is_one_daemons_whatever_else_differs(tmp_path):
    first, second = (Premises(tmp_path / name, tmp_path / "state") for name in ("run", "other"))
    first.enter()
    with pytest.raises(Failed, match=rf"another stratd \(pid {os.getpid()}\) runs on {tmp_path}/state; stop"):
        second.enter()
    second.leave()
    first.leave()
    second.enter()
    second.leave()


def test_a_stale_pid_in_the_lock_file_holds_nothing(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "daemon.lock").write_text("1\n")
    place = Premises(tmp_path / "run", tmp_path / "state")
    place.enter()
    assert (tmp_path / "run" / "daemon.lock").read_text() == f"{os.getpid()}\n"
    place.leave()


def test_a_link_or_a_file_in_the_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failed, match="is not a directory"):
        Premises(tmp_path / "run", tmp_path / "state").enter()
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="cannot make"):
        Premises(tmp_path / "file", tmp_path / "state").enter()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    os.chown(tmp_path / "run", 65534, 65534)
    with pytest.raises(Failed, match="belongs to uid 65534, and stratd runs as uid 0"):
        Premises(tmp_path / "run", tmp_path / "state").enter()


def test_the_identity_of_a_state_directory_is_made_once(tmp_path):
    place = Premises(tmp_path / "run", tmp_path)
    made, fresh = place.identity()
    assert (len(made), fresh) == (32, True)
    assert Premises(tmp_path / "other", tmp_path).identity() == (made, False)
    place.take_identity("0" * 32)
    assert place.identity() == ("0" * 32, False)


@pytest.mark.parametrize("content", [b"", b"0123", b"\xff" * 32, b"x" * 32])
def test_a_damaged_identity_is_set_aside_and_told_and_another_one_made(tmp_path, content):
    place = Premises(tmp_path / "run", tmp_path)
    (tmp_path / "identity").write_bytes(content)
    place.enter()
    (aside,) = tmp_path.glob("identity.corrupt-*")
    assert (aside.read_bytes(), place.known_identity()) == (content, None)
    assert str(aside) in place.damaged
    assert place.identity()[1]
    place.leave()


def test_our_packages_lie_under_one_root():
    check_packages()


def test_an_intruder_is_named(tmp_path, monkeypatch):
    real = premises.importlib.util.find_spec

    def find(name):
        spec = real(name)
        if name == "bus":
            spec.origin = str(tmp_path / "bus" / "__init__.py")
        return spec

    monkeypatch.setattr(premises.importlib.util, "find_spec", find)
    with pytest.raises(Failed, match=rf"the package bus was found in {tmp_path}, and stratd lies in"):
        check_packages()


def entered(tmp_path):
    place = Premises(tmp_path / "run", tmp_path / "state")
    place.enter()
    place.leave()
    return place


def test_a_daemon_knows_whether_the_last_one_ran_in_this_boot(tmp_path, monkeypatch):
    assert entered(tmp_path).rebooted, "there was none"
    assert not entered(tmp_path).rebooted
    other = tmp_path / "boot_id"
    other.write_text("another\n")
    monkeypatch.setattr(premises, "BOOT_ID", other)
    assert entered(tmp_path).rebooted
    assert not entered(tmp_path).rebooted
    (tmp_path / "state" / "boot").write_bytes(b"\xff\x00 torn")
    assert entered(tmp_path).rebooted, "what nobody can read tells nothing"
