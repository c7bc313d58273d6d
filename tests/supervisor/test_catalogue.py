"""The catalogue of a daemon: which folders it looks into, and what it says of those that are not there."""

from __future__ import annotations

from supervisor.catalogue import DEFAULT_FOLDERS, Catalogue


def test_a_folder_that_somebody_wrote_down_and_is_not_there_is_told_of(tmp_path):
    missing = tmp_path / "strategeis"
    found = Catalogue([missing]).scan([])
    assert found.broken == {str(missing): ["cannot be read: No such file or directory"]}


def test_the_default_folder_need_not_exist(monkeypatch, tmp_path):
    monkeypatch.setattr("supervisor.catalogue.DEFAULT_FOLDERS", [tmp_path / "default"])
    assert Catalogue([tmp_path / "default"]).scan([]).broken == {}
    assert [str(path) for path in DEFAULT_FOLDERS] == ["/etc/stratd/strategies"]
