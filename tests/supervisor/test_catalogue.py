"""The catalogue of a daemon: which folders it looks into, and what it says of those that are not there."""

from __future__ import annotations

import pytest

from supervisor.catalogue import DEFAULT_FOLDERS, Catalogue
from supervisor.errors import Failed, NotFound


def test_a_folder_that_somebody_wrote_down_and_is_not_there_is_told_of(tmp_path):
    missing = tmp_path / "strategeis"
    found = Catalogue([missing]).scan([])
    assert found.broken == {str(missing): ["cannot be read: No such file or directory"]}


def test_the_default_folder_need_not_exist(monkeypatch, tmp_path):
    monkeypatch.setattr("supervisor.catalogue.DEFAULT_FOLDERS", [tmp_path / "default"])
    assert Catalogue([tmp_path / "default"]).scan([]).broken == {}
    assert [str(path) for path in DEFAULT_FOLDERS] == ["/etc/stratd/strategies"]


@pytest.mark.parametrize("reference", ["mine", "mine@1.0.0"])
def test_what_is_asked_for_and_broken_is_said_to_be_broken_and_how(tmp_path, reference):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text('{"name": "mine"')
    catalogue = Catalogue([tmp_path])
    catalogue.scan([])
    with pytest.raises(Failed, match=rf"^strategy mine is broken: config.json.*strategy.py.*\({folder}\)$"):
        catalogue.find(reference)
    assert catalogue.why_not("mine", "1.0.0").startswith("strategy mine is broken: config.json")


def test_what_is_not_there_at_all_is_not_said_to_be_broken(tmp_path):
    broken = tmp_path / "moving_average_crossover"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    catalogue = Catalogue([tmp_path])
    catalogue.scan([])
    for reference in ("moving_average_crossover@77", "nobody"):
        with pytest.raises(NotFound):
            catalogue.find(reference)
    assert catalogue.why_not("nobody", "1") == "strategy nobody@1 is not in the catalogue"
